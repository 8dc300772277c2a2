import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import {
  type Definition,
  entity,
  type FeatureStore,
  featureView,
  onDemandFeatureView,
  openFeatureStore,
  parquetSource,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';

const shop = entity({ name: 'shop', joinKeys: { shop: 'string' } });
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  format: 'json',
  schema: { at: 'timestamp', shop: 'string', amount: 'float64' },
  timestampField: 'at',
  keyFields: ['shop'],
  partitions: 2,
});
const newest = featureView({
  name: 'newest_sale',
  entities: [shop],
  source: sales,
  schema: { amount: 'float64' },
});
const hourly = windowedFeatureView({
  name: 'shop_sales',
  entities: [shop],
  source: sales,
  grace: '12h',
  aggregations: [{ column: 'amount', function: 'sum', window: sliding('2h'), name: 'amount_2h' }],
});
const doubled = onDemandFeatureView({
  name: 'doubled',
  sources: [newest],
  schema: { twice: 'float64' },
  transform: ({ amount }) => ({ twice: amount === null ? null : amount * 2 }),
});
const oldSales = parquetSource({
  name: 'old_sales',
  path: 'old',
  schema: { at: 'timestamp', shop: 'string', amount: 'float64' },
  timestampField: 'at',
});
const oldest = featureView({
  name: 'oldest_sale',
  entities: [shop],
  source: oldSales,
  schema: { amount: 'float64' },
});
const DEFINITIONS: Definition[] = [shop, sales, newest, hourly, doubled];
const FEATURES = ['newest_sale:amount', 'shop_sales:amount_2h', 'doubled:twice'];
const START_MS = Date.parse('2026-03-01T00:00:00Z');
const MINUTE_MS = 60_000;

describe('a saved dataset', () => {
  let directory: string;
  let store: FeatureStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-dataset-'));
    store = await open();
    await store.apply();
    await produce(Array.from({ length: 200 }, (_, i) => [`s${i % 5}`, i, i / 8]));
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('has the rows of the join, and a receipt of what they were made of', async () => {
    await using joined = await store.getHistoricalFeatures(request());
    const receipt = await store.datasets.save('spring', request());
    const duckdb = await store.resources.duckdb();
    const rows = await duckdb.query(`SELECT * FROM '${store.datasets.path('spring')}'`);
    expect(rows).toEqual(await joined.toArray());
    expect(receipt).toMatchObject({
      version: 1,
      name: 'spring',
      createdAt: new Date(START_MS).toISOString(),
      request: { features: FEATURES, strictlyBefore: true },
      labelColumns: ['shop', 'event_timestamp', 'label'],
      rowCount: 50,
    });
    expect(Object.keys(receipt.fingerprints)).toEqual(['newest_sale', 'shop_sales', 'doubled']);
    const ends = (await store.status())[0]?.partitions.map(({ sealed }) => sealed);
    expect(receipt.known).toEqual({ sales: ends });
    expect(await store.datasets.list()).toEqual([receipt]);
  });

  it('is made again to the same bytes, and is fresh, while nothing came that it could see', async () => {
    await store.datasets.save('spring', request());
    await produce([['s1', 500, 7]]);
    await store.history.compact({ all: true });
    expect(await store.datasets.verify('spring')).toEqual({
      name: 'spring',
      changedViews: [],
      reproduced: true,
      staleRows: 0,
      staleFeatures: {},
    });
  });

  it('names itself when a late row would change it, and is made again all the same', async () => {
    const { known } = await store.datasets.save('spring', request());
    const before = await answers();
    await produce([['s1', 100.5, 1_000]]); // an old time, within the grace
    const verified = await store.datasets.verify('spring');
    expect(verified).toMatchObject({ reproduced: true });
    const after = await answers();
    const differ = after.filter((row, i) => JSON.stringify(row) !== JSON.stringify(before[i]));
    expect(differ.length).toBeGreaterThan(0);
    expect(verified.staleRows).toBe(differ.length);
    expect(Object.keys(verified.staleFeatures)).toContain('amount_2h');
    // And the same by hand: as it was known at the offsets of the receipt.
    await using then = await store.getHistoricalFeatures({ ...request(), knownAtOffsets: known });
    expect(JSON.stringify(await then.toArray())).toBe(JSON.stringify(before));
  });

  it('is made again of the files that it saw when a backfill has added others, which it names', async () => {
    await store.close();
    store = await open([...DEFINITIONS, oldSales, oldest]);
    await store.apply();
    const files = await Promise.all([1, 2].map((amount) => exportFile(amount)));
    await store.backfill({ source: 'old_sales', files: [files[0] as string] });
    const receipt = await store.datasets.save('old', {
      features: ['oldest_sale:amount', 'newest_sale:amount'],
      fullFeatureNames: true,
      entityRows: request().entityRows,
    });
    expect(receipt.knownFiles).toEqual({
      old_sales: [expect.stringMatching(/^old\/import-000001-[0-9a-f]{16}-0-0\.parquet$/)],
    });
    const fresh = { reproduced: true, staleRows: 0, staleFeatures: {} };
    expect(await store.datasets.verify('old')).toMatchObject(fresh);
    await store.backfill({ source: 'old_sales', files });
    expect(await store.datasets.verify('old')).toMatchObject({
      reproduced: true,
      staleRows: 9, // of s0, once in six labels
      staleFeatures: { oldest_sale__amount: 9 },
    });
    await rm(join(directory, receipt.knownFiles['old_sales']?.[0] as string));
    expect(await store.datasets.verify('old')).toMatchObject({ reproduced: false });
    await expect(
      store.getHistoricalFeatures({ ...request(), knownAtFiles: { old_sale: [] } }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('cannot be compared when a view means something else now', async () => {
    await store.datasets.save('spring', request());
    await store.close();
    const changed = windowedFeatureView({
      name: 'shop_sales',
      entities: [shop],
      source: sales,
      grace: '12h',
      aggregations: [
        { column: 'amount', function: 'sum', window: sliding('3h'), name: 'amount_2h' },
      ],
    });
    store = await open([shop, sales, newest, changed, doubled]);
    expect(await store.datasets.verify('spring')).toEqual({
      name: 'spring',
      changedViews: ['shop_sales'],
      reproduced: null,
      staleRows: null,
      staleFeatures: {},
    });
  });

  it('says so when history that it was made of is gone', async () => {
    await store.datasets.save('spring', request());
    await store.close();
    const retention = { newest_sale: { bytes: 1 }, shop_sales: { bytes: 1 } };
    store = await open(DEFINITIONS, { retention });
    await store.history.retain();
    const verified = await store.datasets.verify('spring');
    expect(verified.reproduced).toBe(false);
    expect(verified.staleRows).toBeGreaterThan(0);
  });

  it('has a name of its own, leaves nothing when it fails, and can be removed', async () => {
    await store.datasets.save('spring', request());
    await expect(store.datasets.save('spring', request())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(store.datasets.save('../up', request())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const bad = { ...request(), features: ['newest_sale:amonut'] };
    await expect(store.datasets.save('autumn', bad)).rejects.toMatchObject({
      code: 'FEATURE_NOT_FOUND',
    });
    expect(await readdir(join(directory, 'data/datasets'))).toEqual(['spring']);
    await expect(store.datasets.verify('sprung')).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
      message: expect.stringContaining('Did you mean "spring"?'),
    });
    await store.datasets.remove('spring');
    expect(await store.datasets.list()).toEqual([]);
  });

  it('sees what its offsets say, partition by partition, and refuses offsets that mean nothing', async () => {
    const at = async (knownAtOffsets: Record<string, number[]>): Promise<unknown[]> => {
      await using joined = await store.getHistoricalFeatures({ ...request(), knownAtOffsets });
      return (await joined.toArray()).map((row) => row['amount'] ?? null);
    };
    const all = await at({});
    expect(await at({ sales: [1_000, 1_000] })).toEqual(all);
    expect(new Set(await at({ sales: [0, 0] }))).toEqual(new Set([null]));
    const some = await at({ sales: [1_000, 10] });
    const same = some.filter((amount, i) => amount === all[i]).length;
    expect(same).toBeGreaterThan(0);
    expect(same).toBeLessThan(all.length);
    await expect(at({ sails: [1] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(at({ sales: [-1] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('reads only the segments whose times its labels can see, and explains which', async () => {
    await using joined = await store.getHistoricalFeatures({
      features: ['newest_sale:amount'],
      entityRows: [{ shop: 's1', event_timestamp: new Date(START_MS + 40 * MINUTE_MS) }],
    });
    const { facts } = joined.explain().reads[0] as {
      facts: { files: { read: number; of: number } };
    };
    expect(facts.files.of).toBe((await store.segments('sales')).length);
    expect(facts.files.read).toBeLessThan(facts.files.of);
    expect(joined.explain().text).toContain(
      `files     ${facts.files.read} of ${facts.files.of}, by event time`,
    );
    expect((await joined.toArray())[0]?.['amount']).toBe(36 / 8);
  });

  it('keeps its receipt as text that a person can read', async () => {
    await store.datasets.save('spring', request());
    const text = await readFile(join(directory, 'data/datasets/spring/receipt.json'), 'utf8');
    expect(JSON.parse(text)).toEqual(await store.datasets.receipt('spring'));
    expect(text).toContain('\n  "name": "spring"');
  });

  function request() {
    return {
      features: FEATURES,
      strictlyBefore: true,
      entityRows: Array.from({ length: 50 }, (_, i) => ({
        shop: `s${i % 6}`,
        event_timestamp: new Date(START_MS + (i * 4 + 20) * MINUTE_MS),
        label: i,
      })),
    };
  }

  async function answers(): Promise<unknown[]> {
    await using joined = await store.getHistoricalFeatures(request());
    return await joined.toArray();
  }

  /** One sale of s0, newer in each file. */
  async function exportFile(amount: number): Promise<string> {
    const file = join(directory, `export-${amount}.parquet`);
    const duckdb = await store.resources.duckdb();
    await duckdb.run(
      `COPY (SELECT 's0' AS shop, TIMESTAMP '2026-01-0${amount}' AS at, ${amount}.0::DOUBLE AS amount)
       TO '${file}' (FORMAT parquet)`,
    );
    return file;
  }

  function open(definitions = DEFINITIONS, offlineStore = {}): Promise<FeatureStore> {
    const config = {
      project: 'dataset',
      offlineStore: { segmentRowsMax: 30, ...offlineStore },
      engine: { batchRecordsMax: 15 },
    };
    return openFeatureStore({ directory, definitions, config, clock: new ManualClock(START_MS) });
  }

  async function produce(
    rows: readonly [shop: string, minute: number, amount: number][],
  ): Promise<void> {
    await using producer = await store.producer(sales);
    await producer.send(
      rows.map(([name, minute, amount]) => ({
        at: new Date(START_MS + minute * MINUTE_MS),
        shop: name,
        amount,
      })),
    );
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }
});

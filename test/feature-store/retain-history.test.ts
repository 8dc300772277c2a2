/** Retention of what backfills have loaded; that of segments is in history.test.ts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ConfigOverrides,
  entity,
  type FeatureStore,
  featureView,
  lifetime,
  openFeatureStore,
  parquetSource,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';

const schema = { id: 'int64', at: 'timestamp', amount: 'float64' } as const;
const shop = entity({ name: 'shop', joinKeys: { id: 'int64' } });
const past = parquetSource({ name: 'past', path: 'past', schema, timestampField: 'at' });
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  format: 'json',
  schema,
  timestampField: 'at',
  keyFields: ['id'],
});
const newest = featureView({
  name: 'newest_sale',
  entities: [shop],
  source: sales,
  batchSource: past,
  schema: { amount: 'float64' },
});
const ever = windowedFeatureView({
  name: 'sales_ever',
  entities: [shop],
  source: past,
  aggregations: [{ function: 'count', window: lifetime(), name: 'sales' }],
});
const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const DAYS = [0, 10, 20];
const ROWS = 50;

describe('retention of batch history', () => {
  let directory: string;
  let store: FeatureStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-retain-'));
    store = await open({});
    await store.apply();
    for (const day of DAYS) await exportDay(day);
    await backfill();
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('drops the parts that are older than any of its views needs, and leaves what is online', async () => {
    const online = await readOnline();
    expect(await countRows()).toBe(DAYS.length * ROWS);
    await reopen({ newest_sale: { age: '10d' }, sales_ever: { age: '15d' } });
    const planned = await store.history.retain({ dryRun: true });
    expect(planned).toMatchObject([
      { source: 'sales', files: 0 },
      { source: 'past', files: 1, rows: ROWS, beforeUs: (START_MS + DAY_MS) * 1_000 - 999_999 },
    ]);
    expect(await countRows()).toBe(DAYS.length * ROWS);
    expect(await store.history.retain()).toEqual(planned);
    expect(await countRows()).toBe(2 * ROWS);
    expect(await readOnline()).toEqual(online);
    expect(await store.history.retain()).toMatchObject([{ files: 0 }, { files: 0 }]);
  });

  it('is not undone by loading the files again, and nothing is counted twice', async () => {
    const online = await readOnline();
    await reopen({ newest_sale: { age: '1d' }, sales_ever: { age: '1d' } });
    await store.history.retain({ sources: ['past'] });
    expect(await backfill()).toMatchObject({ filesKnown: DAYS.length, rowsLoaded: 0 });
    await exportDay(30);
    expect(await backfill()).toMatchObject({ rowsLoaded: ROWS });
    expect(await countRows()).toBe(2 * ROWS);
    const after = await readOnline();
    expect(after.map(({ sales: count }) => count)).toEqual(
      online.map(({ sales: count }) => (count as bigint) + BigInt(ROWS / 5)),
    );
  });

  it('counts age from the newest row of the topic that goes on behind the files', async () => {
    await using producer = await store.producer(sales);
    await producer.send([{ id: 1n, at: new Date(START_MS + 100 * DAY_MS), amount: 7 }]);
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
    await reopen({ newest_sale: { age: '50d' }, sales_ever: { age: '50d' } });
    expect(await store.history.retain()).toMatchObject([
      { source: 'sales', files: 0 },
      { source: 'past', files: DAYS.length },
    ]);
    await using joined = await store.getHistoricalFeatures({
      features: ['newest_sale:amount'],
      entityRows: [{ id: 1n, event_timestamp: new Date(START_MS + 101 * DAY_MS) }],
    });
    expect(await joined.toArray()).toMatchObject([{ amount: 7 }]);
  });

  it('drops by bytes, the oldest first, and never the newest part', async () => {
    await reopen({ newest_sale: { bytes: 1 }, sales_ever: { bytes: 1 } });
    expect(await store.history.retain({ sources: ['past'] })).toMatchObject([
      { files: DAYS.length - 1 },
    ]);
    expect(await countRows()).toBe(ROWS);
  });

  it('leaves files of others, and all of them while one view needs them or a join is under way', async () => {
    const duckdb = await store.resources.duckdb();
    const foreign = join(directory, 'past', 'by-hand.parquet');
    await duckdb.run(`COPY (${rowsOf(-100)}) TO '${foreign}' (FORMAT parquet)`);
    await reopen({ newest_sale: { age: '1d' } });
    expect(await store.history.retain()).toMatchObject([{ files: 0 }, { files: 0 }]);
    await reopen({ newest_sale: { age: '1d' }, sales_ever: { age: '1d' } });
    const endRead = store.resources.reads.begin();
    expect(await store.history.retain()).toMatchObject([{ files: 0 }, { files: 0 }]);
    endRead();
    expect(await store.history.retain()).toMatchObject([{ files: 0 }, { files: 2 }]);
    expect(await countRows()).toBe(2 * ROWS);
  });

  it('names the nearest source where none has the name', async () => {
    await expect(store.history.retain({ sources: ['pst'] })).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
      message: expect.stringContaining('Did you mean "past"?'),
    });
  });

  type Retention = NonNullable<NonNullable<ConfigOverrides['offlineStore']>['retention']>;

  function open(retention: Retention): Promise<FeatureStore> {
    return openFeatureStore({
      directory,
      definitions: [shop, sales, newest, ever],
      config: { project: 'retain', offlineStore: { retention } },
    });
  }

  async function reopen(retention: Retention): Promise<void> {
    await store.close();
    store = await open(retention);
  }

  /** The newest is a second before the next day. */
  function rowsOf(day: number): string {
    return `SELECT (i % 5)::BIGINT AS id, i::DOUBLE AS amount,
      make_timestamp(${(START_MS + (day + 1) * DAY_MS) * 1_000} - (1 + i) * 1000000) AS at FROM range(${ROWS}) t(i)`;
  }

  async function exportDay(day: number): Promise<void> {
    const duckdb = await store.resources.duckdb();
    await duckdb.run(`COPY (${rowsOf(day)}) TO '${join(directory, `export-${day}.parquet`)}'`);
  }

  function backfill() {
    return store.backfill({ source: 'past', files: ['export-*.parquet'] });
  }

  async function countRows(): Promise<number> {
    const duckdb = await store.resources.duckdb();
    const [row] = await duckdb.query(
      `SELECT count(*) AS n FROM read_parquet('${join(directory, 'past')}/*.parquet', union_by_name = true)`,
    );
    return Number(row?.['n']);
  }

  async function readOnline() {
    const { rows } = await store.getOnlineFeatures({
      features: ['newest_sale:amount', 'sales_ever:sales'],
      entityRows: Array.from({ length: 5 }, (_, id) => ({ id: BigInt(id) })),
    });
    return rows;
  }
});

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeOutboxRecord } from '../../src/checkpoint/outbox.ts';
import {
  entity,
  type FeatureStore,
  featureService,
  featureView,
  lifetime,
  openFeatureStore,
  parquetSource,
  session,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { numberedKey, SPACE } from '../../src/state/index.ts';

const person = entity({ name: 'person', joinKeys: { email: 'string' } });
const shop = entity({ name: 'shop', joinKeys: { shop: 'int64' } });
const orders = topicSource({
  name: 'orders',
  topic: 'orders',
  format: 'json',
  schema: { at: 'timestamp', email: 'string', shop: 'int64', amount: 'float64' },
  timestampField: 'at',
  keyFields: ['email'],
  partitions: 2,
});
const last = featureView({
  name: 'last_order',
  entities: [person],
  source: orders,
  schema: { amount: 'float64' },
});
const atShop = windowedFeatureView({
  name: 'orders_at_shop',
  entities: [person, shop],
  source: orders,
  aggregations: [{ function: 'count', window: lifetime(), name: 'orders' }],
});
const hourly = windowedFeatureView({
  name: 'hourly_orders',
  entities: [person],
  source: orders,
  emit: { topic: 'hourly-orders', mode: 'final' },
  aggregations: [
    { function: 'count', window: tumbling('1h'), name: 'orders_1h' },
    { function: 'count', window: session('4h'), name: 'orders_session' },
  ],
});
const byShop = windowedFeatureView({
  name: 'shop_orders',
  entities: [shop],
  source: orders,
  aggregations: [{ function: 'count', window: lifetime(), name: 'shop_orders' }],
});

const oldOrders = parquetSource({
  name: 'old_orders',
  path: 'old',
  schema: { at: 'timestamp', email: 'string', shop: 'int64', amount: 'float64' },
  timestampField: 'at',
});
const oldest = featureView({
  name: 'old_order',
  entities: [person],
  source: orders,
  batchSource: oldOrders,
  schema: { amount: 'float64' },
});
const ever = windowedFeatureView({
  name: 'orders_ever',
  entities: [person],
  source: oldOrders,
  aggregations: [{ function: 'count', window: lifetime(), name: 'ever' }],
});
const pairs = featureService({
  name: 'pairs',
  features: [
    oldest.withName('buyer').withJoinKeyMap({ email: 'buyer' }),
    oldest.withName('seller').withJoinKeyMap({ email: 'seller' }),
  ],
});

const FORGOTTEN = 'forget.me@example.org';
const KEPT = ['ann@example.org', 'bob@example.org', 'eve@example.org'];
const emailsSql = [FORGOTTEN, ...KEPT].map((email) => `'${email}'`).join(', ');
const LABELS = 300_000;
const START_MS = Date.parse('2026-03-01T00:00:00Z');

describe('erasing an entity', () => {
  let directory: string;
  let store: FeatureStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-erase-'));
    store = await openFeatureStore({
      directory,
      definitions: [
        person,
        shop,
        orders,
        last,
        atShop,
        hourly,
        byShop,
        oldOrders,
        oldest,
        ever,
        pairs,
      ],
      config: {
        project: 'erase',
        engine: { batchRecordsMax: 16 },
        offlineStore: { segmentRowsMax: 20 },
      },
    });
    await store.apply();
    await produce();
    await runEngine();
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('removes its rows, windows, history, records, results and dead letters, and nothing else', async () => {
    const before = await answers(KEPT);
    const planned = await store.erase('person', { keyValues: { email: FORGOTTEN }, dryRun: true });
    expect(await holding(FORGOTTEN)).not.toEqual([]);
    const result = await store.erase('person', { keyValues: { email: FORGOTTEN } });
    expect(result).toEqual(planned);
    expect(result).toMatchObject({
      online: [
        { view: 'last_order', entities: 1 },
        { view: 'orders_at_shop', entities: 2 },
        { view: 'hourly_orders', entities: 1 },
        { view: 'old_order', entities: 1 },
        { view: 'orders_ever', entities: 0 },
      ],
      segments: [{ source: 'orders', rows: 30 }],
      log: [
        { topic: 'orders', records: 31, erased: true },
        { topic: 'hourly-orders', erased: true },
        { topic: 'erase.dead-letter', records: 1, erased: true },
      ],
      outbox: [],
      batchHistory: [],
      datasets: [],
    });
    expect(await answers(KEPT)).toEqual(before);
    expect(await answers([FORGOTTEN])).toEqual([
      { email: FORGOTTEN, amount: null, orders_1h: null, history: null },
    ]);
    await store.close();
    expect(await holding(FORGOTTEN)).toEqual([]);
    expect(await holding(KEPT[0] as string)).not.toEqual([]);
  });

  it('is not undone by a replay, nor by compaction, nor by reading on', async () => {
    await store.erase('person', { keyValues: { email: FORGOTTEN } });
    const before = await answers([...KEPT, FORGOTTEN]);
    await store.replay({ from: 'earliest' });
    expect(await answers([...KEPT, FORGOTTEN])).toEqual(before);
    await store.history.compact({ all: true });
    await runEngine();
    expect(await answers([...KEPT, FORGOTTEN])).toEqual(before);
    expect((await store.verify({ views: ['last_order', 'hourly_orders'] })).same).toBe(true);
  });

  it('removes it from what backfills loaded and set aside, and from datasets, of history that was compacted', async () => {
    const exported = await loadExport();
    await store.history.compact({ all: true });
    await saveDatasets();
    const planned = await store.erase('person', { keyValues: { email: FORGOTTEN }, dryRun: true });
    const before = await everCounts();
    expect(before).toEqual([50, 50, 50, 50]);
    const result = await store.erase('person', { keyValues: { email: FORGOTTEN } });
    expect(result).toEqual(planned);
    expect(result).toMatchObject({
      segments: [{ source: 'orders', rows: 30 }],
      batchHistory: [
        {
          source: 'old_orders',
          rows: 50,
          files: 1,
          badRows: 1,
          foreignRows: 0,
          madeOf: [exported],
        },
      ],
      datasets: [
        { dataset: 'newest', rows: LABELS / 4 },
        { dataset: 'pairs', rows: 2 },
      ],
    });
    expect(await everCounts()).toEqual([null, 50, 50, 50]);
    for (const { name } of await store.datasets.list()) {
      expect(await store.datasets.verify(name)).toMatchObject({ reproduced: true, staleRows: 0 });
    }
    // Nothing comes back from the file, and nothing that stayed is read again.
    const again = await store.backfill({
      source: 'old_orders',
      files: [exported],
      columns: { email: 'mail' },
    });
    expect(again).toMatchObject({ filesKnown: 1, rowsLoaded: 0, online: { old_order: 0 } });
    const read = await store.materialize({ startTime: 0, endTime: new Date(START_MS) });
    expect(read.map(({ rowsRead }) => rowsRead)).toEqual([0, 0]);
    expect(await everCounts()).toEqual([null, 50, 50, 50]);
    await store.close();
    await rm(exported);
    expect(await holding(FORGOTTEN)).toEqual([]);
    expect(await holding(KEPT[0] as string)).not.toEqual([]);
  });

  it('removes what a killed engine had not sent yet, and what killed processes left half made', async () => {
    const state = await store.resources.state();
    const waiting = { topic: 'hourly-orders', partition: 0, key: null, headers: [] };
    for (const [sequence, email] of [FORGOTTEN, KEPT[0]].entries()) {
      const value = Buffer.from(JSON.stringify({ email, orders_1h: 1 }));
      const key = numberedKey(
        state.dictionary.sourceId('orders') as number,
        0,
        SPACE.outbox,
        sequence,
      );
      const batch = new KvBatch();
      batch.put(key, encodeOutboxRecord({ ...waiting, value }));
      await state.kv.write(batch);
    }
    const unfinished = [
      'old/import-000001-0123456789abcdef-0-0.parquet.tmp',
      'data/datasets/.spring.tmp/data.parquet',
      'data/datasets/.spring.verify.parquet',
    ].map((path) => join(directory, path));
    for (const path of unfinished) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, FORGOTTEN);
    }
    const { outbox } = await store.erase('person', { keyValues: { email: FORGOTTEN } });
    expect(outbox).toEqual([{ topic: 'hourly-orders', records: 1 }]);
    await store.close();
    expect(await holding(FORGOTTEN)).toEqual([]);
    expect(await holding('"orders_1h":1')).not.toEqual([]);
  });

  it('removes records that are no rows by what can be read of them, whatever their record key', async () => {
    await reject(`{"email": "${FORGOTTEN}", "shop": 2, "at": "never"}`);
    await reject(`{"email": "${KEPT[0]}", "shop": 2, "amount": "a lot"}`);
    const person = await store.erase('person', { keyValues: { email: FORGOTTEN } });
    expect(person.log).toMatchObject([
      { topic: 'orders', records: 32, unreadable: 0 },
      { topic: 'hourly-orders', unreadable: 0 },
      { topic: 'erase.dead-letter', records: 2, unreadable: 0 },
    ]);
    // Its record key is of a person, and says nothing of a shop.
    const letters = async () =>
      (await store.erase('shop', { keyValues: { shop: 2n } })).log.find(
        ({ topic }) => topic === 'erase.dead-letter',
      );
    expect(await letters()).toMatchObject({ records: 1, unreadable: 0 });
    expect(await letters()).toMatchObject({ records: 0, unreadable: 0 });
  });

  it('counts records that may be of any entity, and removes them where that is asked for', async () => {
    await reject(`half of ${FORGOTTEN} and`);
    const request = { keyValues: { email: FORGOTTEN } };
    const unreadable = async (options: { unreadable: boolean; dryRun: boolean }) => {
      const { log } = await store.erase('person', { ...request, ...options });
      return log
        .filter(({ topic }) => topic !== 'hourly-orders')
        .map((each) => [each.records, each.unreadable]);
    };
    expect(await unreadable({ unreadable: false, dryRun: false })).toEqual([
      [31, 1],
      [1, 1],
    ]);
    expect(await holding(`half of ${FORGOTTEN}`)).not.toEqual([]);
    for (const dryRun of [true, false]) {
      expect(await unreadable({ unreadable: true, dryRun })).toEqual([
        [1, 0],
        [1, 0],
      ]);
    }
    await store.close();
    expect(await holding(`half of ${FORGOTTEN}`)).toEqual([]);
  });

  it('twice finds nothing the second time', async () => {
    await store.erase('person', { keyValues: { email: FORGOTTEN } });
    const { online, segments, log } = await store.erase('person', {
      keyValues: { email: FORGOTTEN },
    });
    const counts = [
      ...online.map(({ entities }) => entities),
      ...segments.map(({ rows }) => rows),
      ...log.map(({ records }) => records),
    ];
    expect(new Set(counts)).toEqual(new Set([0]));
  });

  it('needs each join key, and a stopped engine', async () => {
    const refuse = (name: string, keyValues: Record<string, unknown>) =>
      expect(store.erase(name, { keyValues })).rejects;
    await refuse('persn', { email: FORGOTTEN }).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('Did you mean "person"?'),
    });
    await refuse('person', {}).toMatchObject({ message: expect.stringContaining('email') });
    await refuse('person', { email: FORGOTTEN, shop: 1 }).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await store.startEngine();
    await refuse('person', { email: FORGOTTEN }).toMatchObject({ code: 'INVALID_ARGUMENT' });
    await store.stopEngine();
  });

  /** 200 rows and 4 that have no time, one of each. */
  async function loadExport(): Promise<string> {
    const exported = join(directory, 'export.parquet');
    const duckdb = await store.resources.duckdb();
    await duckdb.run(
      `COPY (SELECT ([${emailsSql}])[i % 4 + 1] AS mail, i AS amount, 1 AS shop,
         CASE WHEN i < 200 THEN TIMESTAMP '2026-01-01' + to_hours(i::INTEGER) END AS at
       FROM range(204) t(i)) TO '${exported}' (FORMAT parquet)`,
    );
    const columns = { email: 'mail' };
    const loaded = await store.backfill({ source: 'old_orders', files: [exported], columns });
    expect(loaded).toMatchObject({ rowsLoaded: 200, rowsBad: 4 });
    return exported;
  }

  async function saveDatasets(): Promise<void> {
    const event_timestamp = new Date(START_MS);
    const [ann, bob] = KEPT as [string, string];
    await store.datasets.save('newest', {
      features: ['last_order:amount', 'orders_ever:ever'],
      entityRows: {
        // More than a row group.
        sql: `SELECT ([${emailsSql}])[i % 4 + 1] AS email, i, make_timestamp(${START_MS * 1_000}) AS event_timestamp
          FROM range(${LABELS}) t(i)`,
      },
    });
    await store.datasets.save('pairs', {
      service: 'pairs',
      fullFeatureNames: true,
      entityRows: [
        { buyer: FORGOTTEN, seller: ann, event_timestamp },
        { buyer: ann, seller: FORGOTTEN, event_timestamp },
        { buyer: ann, seller: bob, event_timestamp },
      ],
    });
  }

  async function everCounts(): Promise<unknown[]> {
    const { rows } = await store.getOnlineFeatures({
      features: ['orders_ever:ever'],
      entityRows: [FORGOTTEN, ...KEPT].map((email) => ({ email })),
    });
    return rows.map(({ ever: count }) => (count === null ? null : Number(count)));
  }

  /** Files of the repository that hold a text. */
  async function holding(text: string): Promise<string[]> {
    const files = await readdir(directory, { recursive: true, withFileTypes: true });
    const found: string[] = [];
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name);
      if ((await readFile(path)).includes(text)) found.push(path.slice(directory.length));
    }
    return found;
  }

  async function answers(emails: readonly string[]): Promise<unknown[]> {
    const asOf = new Date(START_MS + 24 * 3_600_000);
    const features = ['last_order:amount', 'hourly_orders:orders_1h'];
    const online = await store.getOnlineFeatures({
      features,
      entityRows: emails.map((email) => ({ email })),
      asOf,
    });
    await using joined = await store.getHistoricalFeatures({
      features: ['last_order:amount'],
      entityRows: emails.map((email) => ({ email, event_timestamp: asOf })),
    });
    const history = await joined.toArray();
    return online.rows.map((row, i) => ({ ...row, history: history[i]?.['amount'] }));
  }

  /** A record without a key that is no row, and its dead letter. */
  async function reject(value: string): Promise<void> {
    const log = await store.resources.log();
    await log.append([{ topic: 'orders', key: null, value: Buffer.from(value) }]);
    await runEngine();
  }

  async function runEngine(): Promise<void> {
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }

  async function produce(): Promise<void> {
    await using producer = await store.producer(orders);
    const emails = [FORGOTTEN, ...KEPT];
    for (let i = 0; i < 120; i += 10) {
      await producer.send(
        Array.from({ length: 10 }, (_, k) => ({
          at: new Date(START_MS + (i + k) * 120_000),
          email: emails[(i + k) % emails.length] as string,
          shop: BigInt((i + k) % 8 < 4 ? 1 : 2),
          amount: i + k,
        })),
      );
    }
    // And one that is no row, under the same record key.
    const log = await store.resources.log();
    await log.append([
      { topic: 'orders', key: Buffer.from(FORGOTTEN), value: Buffer.from('{"at": "never"}') },
    ]);
  }
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  entity,
  type FeatureStore,
  featureView,
  lifetime,
  openFeatureStore,
  session,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';

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

const FORGOTTEN = 'forget.me@example.org';
const KEPT = ['ann@example.org', 'bob@example.org', 'eve@example.org'];
const START_MS = Date.parse('2026-03-01T00:00:00Z');

describe('erasing an entity', () => {
  let directory: string;
  let store: FeatureStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-erase-'));
    store = await openFeatureStore({
      directory,
      definitions: [person, shop, orders, last, atShop, hourly, byShop],
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
      ],
      segments: [{ source: 'orders', rows: 30 }],
      log: [
        { topic: 'orders', records: 31, erased: true },
        { topic: 'hourly-orders', erased: true },
        { topic: 'erase.dead-letter', records: 1, erased: true },
      ],
      batchHistory: [],
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

  /** Files below the data folder that hold a text. */
  async function holding(text: string): Promise<string[]> {
    const files = await readdir(join(directory, 'data'), { recursive: true, withFileTypes: true });
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

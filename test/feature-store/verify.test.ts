import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  entity,
  type FeatureStore,
  featureView,
  lifetime,
  openFeatureStore,
  sliding,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';
import { KvBatch, type KvEntry } from '../../src/kv/index.ts';
import { SPACE, statePartitions, viewRange } from '../../src/state/index.ts';

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
const totals = windowedFeatureView({
  name: 'shop_totals',
  entities: [shop],
  source: sales,
  grace: '2m',
  aggregations: [
    { function: 'count', window: sliding('1h'), name: 'sales_1h' },
    { column: 'amount', function: 'sum', window: sliding('1h', { exact: true }), name: 'exact_1h' },
    { column: 'amount', function: 'mean', window: tumbling('10m'), name: 'mean_10m' },
    { column: 'amount', function: 'max', window: lifetime(), name: 'max_ever' },
    { function: 'timeSinceLast', window: lifetime(), name: 'since' },
  ],
});
const START_MS = Date.parse('2026-03-01T00:00:00Z');

describe('verification', () => {
  let directory: string;
  let store: FeatureStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-verify-'));
    const definitions = [shop, sales, newest, totals];
    store = await openFeatureStore({ directory, definitions, config: { project: 'verify' } });
    await store.apply();
    await using producer = await store.producer(sales);
    const rows = Array.from({ length: 300 }, (_, i) => ({
      at: new Date(START_MS + i * 20_000 - (i % 9 === 0 ? 300_000 : (i % 4) * 30_000)),
      shop: `s${i % 6}`,
      amount: i % 10 === 0 ? null : i / 4,
    }));
    await producer.send(rows);
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  });

  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('finds nothing where both stores agree, and asks plain SQL for what it can say', async () => {
    const { same, views } = await store.verify();
    expect(same).toBe(true);
    const [rows, windows] = ['newest_sale', 'shop_totals'].map((name) =>
      views.find((view) => view.view === name),
    );
    expect(rows).toMatchObject({ entities: 6, values: 6, sqlValues: 0 });
    expect(windows).toMatchObject({ entities: 6, values: 90, sqlValues: 72 });
    expect(windows?.times).toHaveLength(3);
  });

  it('finds a value that is another, and one that is not served', async () => {
    const [first, second] = await entriesOf('newest_sale', SPACE.row);
    const { kv } = await store.resources.state();
    await kv.write(new KvBatch().put(first![0], second![1]));
    const { same, views } = await store.verify({ views: ['newest_sale'] });
    expect(same).toBe(false);
    expect(views[0]?.differences).toMatchObject([{ kind: 'mismatch', feature: 'amount' }]);
    await kv.write(new KvBatch().delete(first![0]));
    expect((await store.verify({ views: ['newest_sale'] })).views[0]).toMatchObject({
      entities: 5,
    });
  });

  it('finds windows that lost rows, also by plain SQL', async () => {
    const { kv } = await store.resources.state();
    const batch = new KvBatch();
    for (const [key] of await entriesOf('shop_totals', SPACE.tiles)) batch.delete(key);
    await kv.write(batch);
    const { views } = await store.verify({ views: ['shop_totals'] });
    const kinds = new Set(views[0]?.differences.map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(['mismatch', 'missing', 'sql']));
  });

  it('is refused while rows are in state and in no segment', async () => {
    await using producer = await store.producer(sales);
    await producer.send([{ at: new Date(START_MS), shop: 's1', amount: 1 }]);
    const engine = await store.startEngine();
    await engine.caughtUp();
    await expect(store.verify()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      where: { topic: 'sales' },
    });
  });

  async function entriesOf(view: string, space: number): Promise<KvEntry[]> {
    const state = await store.resources.state();
    const viewId = state.dictionary.viewId(view) as number;
    const entries: KvEntry[] = [];
    for (const { sourceId, partition } of await statePartitions(state.kv)) {
      for await (const page of state.kv.scan(viewRange(sourceId, partition, space, viewId))) {
        entries.push(...page);
      }
    }
    return entries;
  }
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  entity,
  type FeatureStore,
  featureView,
  lifetime,
  openFeatureStore,
  percentile,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';
import { SPACE, statePartitions, viewRange } from '../../src/state/index.ts';

const shop = entity({ name: 'shop', joinKeys: { id: 'int64' } });
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  format: 'json',
  schema: { id: 'int64', at: 'timestamp', amount: 'float64' },
  timestampField: 'at',
  keyFields: ['id'],
});
const newest = featureView({
  name: 'newest',
  entities: [shop],
  source: sales,
  schema: { amount: 'float64' },
});
const sums = windowedFeatureView({
  name: 'sums',
  entities: [shop],
  source: sales,
  aggregations: [
    { column: 'amount', function: 'sum', window: sliding('1h'), name: 'sum_1h' },
    { column: 'amount', function: percentile(0.5), window: sliding('7d'), name: 'median_7d' },
    { column: 'amount', function: 'sum', window: lifetime(), name: 'sum_ever' },
  ],
});
const ENTITIES = 7;

let directory: string;
let store: FeatureStore;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'freshet-size-'));
  store = await openFeatureStore({
    directory,
    definitions: [newest, sums],
    config: { project: 'size' },
  });
  await store.apply();
});
afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

it('nothing is stored of a view at first, and what a read would take is not known', async () => {
  const { entities, bytes, reads } = await store.viewCost('sums');
  expect([entities, bytes]).toEqual([0, 0]);
  expect(reads.map((read) => read.bytes)).toEqual([null, null, null]);
});

it('a view has its entities and bytes, and a read those of its values', async () => {
  const producer = await store.producer(sales);
  await producer.send(
    Array.from({ length: 300 }, (_, i) => ({
      id: BigInt(i % ENTITIES),
      at: new Date(Date.UTC(2026, 0, 1) + i * 600_000),
      amount: i,
    })),
  );
  await producer.close();
  const engine = await store.startEngine();
  await engine.caughtUp();
  await store.stopEngine();
  expect(await store.viewCost('newest')).toMatchObject({ entities: ENTITIES, reads: [] });

  const { entities, bytes, reads } = await store.viewCost('sums');
  const stored = await sizesBySpace('sums');
  expect(entities).toBe(ENTITIES);
  expect(bytes).toBe(stored.flatMap((sizes) => [...sizes.values()].flat()).reduce(sum, 0));
  // By group, which is the first byte behind the view.
  const groups = stored[1] as Map<number, number[]>;
  const means = [...groups.values()].map((sizes) => sizes.reduce(sum, 0) / sizes.length);
  expect(means).toHaveLength(3);
  const wanted = reads.map(({ values }) => values);
  expect(reads.map((read) => read.bytes).sort()).toEqual(
    means.map((mean, i) => Math.round(mean * (wanted[i] as number))).sort(),
  );
});

/** Of heads, tiles and timers, the bytes of each key and value by group. */
async function sizesBySpace(view: string): Promise<Map<number, number[]>[]> {
  const state = await store.resources.state();
  const viewId = state.dictionary.viewId(view) as number;
  const found: Map<number, number[]>[] = [];
  for (const space of [SPACE.head, SPACE.tiles, SPACE.timer]) {
    const groups = new Map<number, number[]>();
    for (const { sourceId, partition } of await statePartitions(state.kv)) {
      const range = viewRange(sourceId, partition, space, viewId);
      const prefix = (range.gte as Uint8Array).length;
      for await (const page of state.kv.scan(range)) {
        for (const [key, value] of page) {
          const group = key[prefix] as number;
          groups.set(group, [...(groups.get(group) ?? []), key.length + value.length]);
        }
      }
    }
    found.push(groups);
  }
  return found;
}

function sum(a: number, b: number): number {
  return a + b;
}

/** What is not in the contract suite (`test/contract/online-store.ts`): keys and homes of every kind. */
import { describe, expect, it } from 'vitest';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import { entity, type FeatureView, featureView, topicSource } from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { createRowUpserter, OnlineReader } from '../../src/online/index.ts';
import { openStateStore, type StateStore } from '../../src/state/index.ts';
import { openTestKv, openTestStore } from '../state/test-store.ts';
import { LAYOUT, stats } from './fixtures.ts';
import { makeRows } from './make-rows.ts';

const SCHEMA = {
  at: 'timestamp',
  origin: 'string',
  number: 'int64',
  delay: 'int32',
} as const;

function viewOf(joinKeys: Record<string, 'string' | 'int64'>, keyFields: string[]): FeatureView {
  return featureView({
    name: 'routes',
    entities: Object.keys(joinKeys).length === 0 ? [] : [entity({ name: 'route', joinKeys })],
    source: topicSource({
      name: 'routes',
      topic: 'routes',
      schema: SCHEMA,
      timestampField: 'at',
      keyFields: keyFields as 'origin'[],
    }),
    schema: { delay: 'int32' },
  }) as unknown as FeatureView;
}

async function open(state: StateStore, view: FeatureView, layout = rowLayout(SCHEMA)) {
  const sourceId = await state.dictionary.ensureSource(view.streamSource!.name);
  return createRowUpserter({ state, view, sourceId, layout, partitions: 4 });
}

async function delays(
  state: StateStore,
  view: FeatureView,
  entities: (string | bigint)[][],
): Promise<unknown> {
  const reader = new OnlineReader({ state, partitionsOf: () => 4 }, [
    { view, features: ['delay'], types: ['int32'] },
  ]);
  const [columns] = await reader.read([entities], 9);
  return columns!.values[0];
}

describe('createRowUpserter', () => {
  it('keeps entities of several join keys apart', async () => {
    const state = await openTestStore();
    const view = viewOf({ origin: 'string', number: 'int64' }, []);
    const upserter = await open(state, view);
    const rows = makeRows(SCHEMA, [
      { at: 1, origin: 'a', number: 12, delay: 1 },
      { at: 1, origin: '2a', number: 1, delay: 2 },
      { at: 2, origin: 'a', number: 12, delay: 3 },
    ]);
    const into = new KvBatch();
    expect(await upserter.upsert(rows, { partition: 0, rank: RANK_STREAM }, into)).toEqual({
      written: 2,
      stale: 1,
      withoutKey: 0,
    });
    await state.kv.write(into);
    const keys = [
      [12n, 'a'],
      [1n, '2a'],
      [2n, '1a'],
    ];
    expect(await delays(state, view, keys)).toEqual([3, 2, null]);
  });

  it('keeps one row of a view without entities', async () => {
    const state = await openTestStore();
    const view = viewOf({}, []);
    const upserter = await open(state, view);
    for (const [partition, at] of [
      [0, 5],
      [3, 4],
    ] as const) {
      const into = new KvBatch();
      const rows = makeRows(SCHEMA, [{ at, origin: 'a', delay: at }]);
      await upserter.upsert(rows, { partition, rank: RANK_STREAM }, into);
      await state.kv.write(into);
    }
    expect(await delays(state, view, [[]])).toEqual([5]);
  });

  it('finds rows of a topic without record keys in any partition', async () => {
    const state = await openTestStore();
    const view = viewOf({ origin: 'string' }, []);
    for (const partition of [2, 1]) {
      const into = new KvBatch();
      const rows = makeRows(SCHEMA, [{ at: partition, origin: 'a', delay: partition }]);
      await (await open(state, view)).upsert(rows, { partition, rank: RANK_STREAM }, into);
      await state.kv.write(into);
    }
    expect(await delays(state, view, [['a']])).toEqual([2]);
  });

  it('writes that a view is spread with the first row that left its home', async () => {
    const kv = await openTestKv();
    const state = await openStateStore(kv);
    const upserter = await open(state, stats, LAYOUT);
    const into = new KvBatch();
    const rows = makeRows(LAYOUT, [{ at: 1, airport: 'JFK', delay: 1 }]);
    for (const partition of [0, 1, 2, 3]) {
      await (await open(state, stats, LAYOUT)).upsert(rows, { partition, rank: RANK_STREAM }, into);
    }
    const viewId = state.dictionary.viewId('stats')!;
    expect((await openStateStore(kv)).homes.get(viewId)?.spread).toBe(false);
    await kv.write(into);
    expect((await openStateStore(kv)).homes.get(viewId)?.spread).toBe(true);
    expect(await upserter.upsert(rows, { partition: 0, rank: RANK_STREAM }, new KvBatch())).toEqual(
      { written: 0, stale: 1, withoutKey: 0 },
    );
  });

  it('names the join key that the rows have no column for', async () => {
    const state = await openTestStore();
    const layout = rowLayout({ at: 'timestamp', delay: 'int32' });
    await expect(open(state, viewOf({ origin: 'string' }, []), layout)).rejects.toThrow(/"origin"/);
  });
});

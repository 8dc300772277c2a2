/** What is not in the contract suite (`test/contract/online-store.ts`): several views, topics that grow. */
import { describe, expect, it } from 'vitest';
import { partitionForKey } from '../../src/core/murmur2.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import { type FeatureView, featureView } from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { createRowUpserter, OnlineReader } from '../../src/online/index.ts';
import type { StateStore } from '../../src/state/index.ts';
import { openTestStore } from '../state/test-store.ts';
import { airport, flights, LAYOUT, stats } from './fixtures.ts';
import { makeRows } from './make-rows.ts';

const carriers = featureView({
  name: 'carriers',
  entities: [airport],
  source: flights,
  schema: { carrier: 'string' },
}) as unknown as FeatureView;

async function write(
  state: StateStore,
  view: FeatureView,
  partitions: number,
  row: { at: number; airport: string; delay?: number; carrier?: string },
): Promise<void> {
  const sourceId = await state.dictionary.ensureSource('flights');
  const upserter = await createRowUpserter({ state, view, sourceId, layout: LAYOUT, partitions });
  const partition = partitionForKey(Buffer.from(row.airport), partitions);
  const into = new KvBatch();
  await upserter.upsert(makeRows(LAYOUT, [row]), { partition, rank: RANK_STREAM }, into);
  await state.kv.write(into);
}

const delay = { view: stats, features: ['delay'], types: ['int32'] } as const;
const carrier = { view: carriers, features: ['carrier'], types: ['string'] } as const;

describe('OnlineReader', () => {
  it('reads several views for different entities at once', async () => {
    const state = await openTestStore();
    await write(state, stats, 4, { at: 1, airport: 'JFK', delay: 5 });
    await write(state, carriers, 4, { at: 2, airport: 'BOS', carrier: 'AA' });
    const reader = new OnlineReader({ state, partitionsOf: () => 4 }, [delay, carrier]);
    expect(reader.keyNames).toEqual([['airport'], ['airport']]);
    const [first, second] = await reader.read([[['BOS'], ['JFK']], [['BOS']]], 9);
    expect(first!.values).toEqual([[null, 5]]);
    expect(second!.values).toEqual([['AA']]);
    expect([...second!.eventTimesUs]).toEqual([2]);
  });

  it('asks for nothing when there is nothing to ask for', async () => {
    const state = await openTestStore();
    const reader = new OnlineReader({ state, partitionsOf: () => 4 }, [delay]);
    expect((await reader.read([[]], 9))[0]!.values).toEqual([[]]);
    await write(state, stats, 4, { at: 1, airport: 'JFK', delay: 5 });
    expect((await reader.read([[[null], ['JFK']]], 9))[0]!.values).toEqual([[null, 5]]);
  });

  it.each([
    ['the writer', 4, 16, 16],
    ['only the reader', 4, 4, 16],
  ])('finds rows from before a topic got more partitions, as %s knows', async (_, ...counts) => {
    const [before, after, read] = counts;
    const state = await openTestStore();
    const airports = Array.from({ length: 30 }, (__, i) => `A${i}`);
    for (const name of airports) {
      await write(state, stats, before, { at: 1, airport: name, delay: 1 });
    }
    await write(state, stats, after, { at: 2, airport: 'A0', delay: 2 });
    const reader = new OnlineReader({ state, partitionsOf: () => read }, [delay]);
    const [columns] = await reader.read([airports.map((name) => [name])], 9);
    expect(columns!.values[0]).toEqual(airports.map((_name, i) => (i === 0 ? 2 : 1)));
  });
});

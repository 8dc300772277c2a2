/**
 * Windows of a stream through the online store, however it is cut: batches, restarts, partitions,
 * and a cache that forgets. The naive oracle has all rows and looks at every one.
 */
import { describe, expect, it } from 'vitest';
import type { FieldValue } from '../../src/core/field-type.ts';
import { partitionForKey } from '../../src/core/murmur2.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import type { FeatureView, Windowing } from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import {
  createUpserter,
  OnlineReader,
  type RowUpserter,
  storeChecksum,
} from '../../src/online/index.ts';
import { type StateStore, statePartitions } from '../../src/state/index.ts';
import { naiveWindows } from '../oracle/naive-windows.ts';
import { openTestStore } from '../state/test-store.ts';
import {
  COLUMNS,
  differing,
  everyWindow,
  fieldsOf,
  GRACE_US,
  generateStream,
  generator,
  KEYS,
  naiveRow,
  type StreamRow,
  seeds,
} from '../window/streams.ts';
import { makeRows } from './make-rows.ts';

interface Cutting {
  /** Rows a batch, at most; each batch has rows of one partition. */
  readonly rowsMax: number;
  /** Chance that a batch is written by an upserter that was opened for it. */
  readonly restarts: number;
  readonly cachedBlocksMax: number;
  readonly random: () => number;
}

const ONE_BATCH = { rowsMax: 10_000, restarts: 0, cachedBlocksMax: 65_536, random: () => 0 };

/** The store after all rows, partition by partition in batches that take turns. */
async function materialized(
  view: FeatureView,
  rows: readonly StreamRow[],
  partitions: number,
  cutting: Cutting,
): Promise<StateStore> {
  const state = await openTestStore();
  const sourceId = await state.dictionary.ensureSource('events');
  const { cachedBlocksMax, random, restarts, rowsMax } = cutting;
  const open = (): Promise<RowUpserter> =>
    createUpserter({
      state,
      view,
      sourceId,
      layout: rowLayout(COLUMNS),
      partitions,
      cachedBlocksMax,
    });
  const left = Array.from({ length: partitions }, (_, p) => rows.filter((r) => r.partition === p));
  const upserters = await Promise.all(left.map(open));
  while (left.some((queue) => queue.length > 0)) {
    const partition = Math.floor(random() * partitions) % partitions;
    const turn = left[partition]?.length === 0 ? left.findIndex((q) => q.length > 0) : partition;
    const batch = left[turn]!.splice(0, 1 + Math.floor(random() * (rowsMax - 1)) || rowsMax);
    if (random() < restarts) upserters[turn] = await open();
    await upsert(state, upserters[turn] as RowUpserter, batch);
  }
  return state;
}

async function upsert(
  state: StateStore,
  upserter: RowUpserter,
  batch: readonly StreamRow[],
): Promise<void> {
  const into = new KvBatch();
  // Several calls for one write, as when a batch of the store takes more than one of rows.
  const third = Math.ceil(batch.length / 3);
  for (const from of [0, third, 2 * third]) {
    const rows = batch.slice(from, from + third);
    const [first] = rows;
    if (first === undefined) continue;
    const origin = {
      partition: first.partition,
      rank: RANK_STREAM,
      lateByUs: Float64Array.from(rows, ({ lateByUs }) => lateByUs),
      streamTimeUs: rows.at(-1)!.streamTimeUs,
    } as const;
    await upserter.upsert(makeRows(COLUMNS, rows.map(fieldsOf)), origin, into);
  }
  await state.kv.write(into);
}

async function read(
  state: StateStore,
  view: FeatureView,
  partitions: number,
  atUs: number,
): Promise<(Record<string, FieldValue> | null)[]> {
  const features = Object.keys(view.schema);
  const types = Object.values(view.schema);
  const reader = new OnlineReader({ state, partitionsOf: () => partitions }, [
    { view, features, types },
  ]);
  const [columns] = await reader.read([KEYS.map((key) => [key])], atUs);
  return KEYS.map((_, e) =>
    Number.isNaN(columns!.eventTimesUs[e])
      ? null
      : Object.fromEntries(features.map((f, i) => [f, columns!.values[i]![e] as FieldValue])),
  );
}

async function expectNaive(
  state: StateStore,
  view: FeatureView,
  partitions: number,
  rows: readonly StreamRow[],
  atUs: number,
): Promise<void> {
  const got = await read(state, view, partitions, atUs);
  const { aggregations } = view.windowing as Windowing;
  for (const [k, key] of KEYS.entries()) {
    const mine = rows.filter((row) => row.key === key).map(naiveRow);
    const want = naiveWindows(aggregations, COLUMNS, mine, GRACE_US, atUs);
    expect(differing(got[k] ?? null, want), `${key} at ${atUs}`).toEqual({});
  }
}

/** The place of a key's rows, as a producer chooses it. */
const homeOf = (partitions: number) => (key: string) =>
  partitionForKey(Buffer.from(key), partitions);

const KINDS = [
  { name: 'one partition', partitions: 1, keyed: true },
  { name: 'home partitions', partitions: 3, keyed: true },
  { name: 'entities spread over partitions', partitions: 3, keyed: false },
] as const;

describe.each(KINDS)('windows in the online store, $name', ({ partitions, keyed }) => {
  const view = everyWindow({ keyed, partitions });
  const streamOf = (seed: number, count: number): StreamRow[] =>
    generateStream({ seed, count, partitions, ...(keyed && { partitionOf: homeOf(partitions) }) });

  it.each(seeds(4))(
    'are those of the naive oracle at any time from stream time on, seed %i',
    async (seed) => {
      const random = generator(seed);
      const rows = streamOf(seed, 200);
      const cutting = { rowsMax: 30, restarts: 0.3, cachedBlocksMax: 20, random };
      const state = await materialized(view, rows, partitions, cutting);
      const newestUs = Math.max(...rows.map(({ at }) => at));
      for (const laterUs of [0, 1, Math.floor(random() * 6e7), Math.floor(random() * 1e11)]) {
        await expectNaive(state, view, partitions, rows, newestUs + laterUs);
      }
    },
  );

  it.each(seeds(4))(
    'are the same bytes for any batches, restarts, caches and turns of partitions, seed %i',
    async (seed) => {
      const rows = streamOf(seed, 200);
      const whole = await storeChecksum(await materialized(view, rows, partitions, ONE_BATCH));
      for (const rowsMax of [1, 7, 60]) {
        const random = generator(seed * 100 + rowsMax);
        const cutting = { rowsMax, restarts: 0.2, cachedBlocksMax: rowsMax * 3, random };
        const cut = await materialized(view, rows, partitions, cutting);
        expect(await storeChecksum(cut), `batches of ${rowsMax}`).toEqual(whole);
      }
    },
  );

  it('give a value while rows are coming, at each step', async () => {
    const rows = streamOf(77, 120);
    const state = await openTestStore();
    const sourceId = await state.dictionary.ensureSource('events');
    const layout = rowLayout(COLUMNS);
    const upserters = await Promise.all(
      Array.from({ length: partitions }, () =>
        createUpserter({ state, view, sourceId, layout, partitions }),
      ),
    );
    for (const [i, row] of rows.entries()) {
      await upsert(state, upserters[row.partition] as RowUpserter, [row]);
      if (i % 24 !== 23) continue;
      const known = rows.slice(0, i + 1);
      await expectNaive(state, view, partitions, known, Math.max(...known.map(({ at }) => at)));
    }
  });
});

describe('what the store keeps', () => {
  const view = everyWindow({ keyed: true, partitions: 1 });
  const [template] = generateStream({ seed: 5, count: 1 }) as [StreamRow];
  const hourly = (count: number): StreamRow[] =>
    Array.from({ length: count }, (_, i) => {
      const at = template.at + i * 3_600e6;
      return { ...template, offset: i, at, made: null, lateByUs: 0, streamTimeUs: at - 2e6 };
    });
  const sizeOf = async (state: StateStore): Promise<number> => {
    let bytes = 0;
    for await (const page of state.kv.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(255) })) {
      for (const [key, value] of page) bytes += key.length + value.length;
    }
    return bytes;
  };

  it('does not grow with time: what no read can reach is deleted, and sessions are forgotten', async () => {
    const cutting = { ...ONE_BATCH, rowsMax: 10, random: generator(1) };
    // Blocks of days are sixteen days long: whole ones compare.
    const [month, season] = await Promise.all(
      [2 * 384, 5 * 384].map(async (hours) => {
        const state = await materialized(view, hourly(hours), 1, cutting);
        expect(await statePartitions(state.kv)).toHaveLength(1);
        return sizeOf(state);
      }),
    );
    expect(season).toBeLessThan((month as number) * 1.05);
  });
});

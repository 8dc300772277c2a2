import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BackfillProgress,
  type MaterializationInterval,
  materializationIntervals,
} from '../../src/backfill/index.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_BATCH, RANK_STREAM } from '../../src/core/row-order.ts';
import {
  entity,
  type FeatureView,
  featureView,
  lifetime,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { createRowUpserter, OnlineReader, storeChecksum } from '../../src/online/index.ts';
import type { StateStore } from '../../src/state/index.ts';
import { makeRows } from '../online/make-rows.ts';
import { NaiveNewestRows } from '../oracle/naive-newest-rows.ts';
import {
  BackfillBench,
  failure,
  type HistoryRow,
  interval,
  openState,
  rowsOf,
  SOURCE,
  stored,
  T0,
  VIEW,
  withBench,
} from './support.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_251_125);

/** What the store must hold of rows, by files in their order, within intervals. */
function expected(
  files: readonly (readonly HistoryRow[])[],
  intervals: readonly MaterializationInterval[],
): Record<string, readonly [unknown, number]> {
  const naive = new NaiveNewestRows();
  const users = new Set<string>();
  for (const [number, rows] of files.entries()) {
    for (const [i, { user, at, made, amount }] of rows.entries()) {
      if (user === null || at === null) continue;
      if (!intervals.some(({ startUs, endUs }) => startUs <= T0 + at && T0 + at <= endUs)) continue;
      users.add(user);
      const created = made == null ? {} : { created: T0 + made };
      naive.add({ at: T0 + at, ...created, user, amount }, 0, RANK_BATCH, number * 2 ** 32 + i);
    }
  }
  return Object.fromEntries(
    [...users].map((user) => {
      const row = naive.newest((each) => each['user'] === user);
      return [user, [row?.['amount'], (row?.at ?? 0) - T0]];
    }),
  );
}

describe('materializing a view', () => {
  let bench: BackfillBench;
  beforeAll(async () => {
    bench = await BackfillBench.open();
    await bench.writeFile('a', rowsOf(20));
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it('stores the newest row of every entity in the range, both ends included', async () => {
    const state = await openState();
    const result = await bench.materialize(state, interval(5_000_000, 14_000_000));
    expect(result).toEqual({
      view: 'spending',
      rowsRead: 10,
      rowsWritten: 5,
      intervals: [interval(5_000_000, 14_000_000)],
    });
    expect(await stored(state)).toEqual({
      u0: [10, 10_000_000],
      u1: [11, 11_000_000],
      u2: [12, 12_000_000],
      u3: [13, 13_000_000],
      u4: [14, 14_000_000],
    });
  });

  it('a second time reads and writes nothing', async () => {
    const state = await openState();
    await bench.materialize(state, interval(0, 30_000_000));
    const before = await storeChecksum(state);
    for (const mode of ['range', 'incremental'] as const) {
      const again = await bench.materialize(state, interval(0, 30_000_000), { mode });
      expect(again).toMatchObject({ rowsRead: 0, rowsWritten: 0 });
    }
    expect(await storeChecksum(state)).toEqual(before);
  });

  it('of an older range does not regress a newer value', async () => {
    const state = await openState();
    await bench.materialize(state, interval(10_000_000, 19_000_000));
    const newest = await stored(state);
    const older = await bench.materialize(state, interval(0, 9_000_000));
    expect(older).toMatchObject({ rowsRead: 10, rowsWritten: 0 });
    expect(older.intervals).toEqual([interval(0, 9_000_000), interval(10_000_000, 19_000_000)]);
    expect(await stored(state)).toEqual(newest);
  });

  it('keeps intervals that touch as one', async () => {
    const state = await openState();
    await bench.materialize(state, interval(0, 9_999_999));
    await bench.materialize(state, interval(10_000_000, 19_000_000));
    expect(await materializationIntervals(state, VIEW)).toEqual([interval(0, 19_000_000)]);
  });

  it('of a range without rows keeps the interval', async () => {
    const state = await openState();
    const result = await bench.materialize(state, interval(-9, -1));
    expect(result).toMatchObject({ rowsRead: 0, intervals: [interval(-9, -1)] });
    expect(await stored(state)).toEqual({});
  });

  it('has no intervals where nothing was done, or where there is no batch history', async () => {
    const state = await openState();
    expect(await materializationIntervals(state, VIEW)).toEqual([]);
    const stream = { ...VIEW, batchSource: null } as FeatureView;
    expect(await materializationIntervals(state, stream)).toEqual([]);
  });

  it('tells its progress, which rises to the number of rows', async () => {
    const state = await openState();
    const seen: BackfillProgress[] = [];
    await bench.materialize(state, interval(0, 30_000_000), {
      sliceRowsMax: 5,
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen.map(({ rowsDone }) => rowsDone)).toEqual([5, 10, 15, 20]);
    expect(new Set(seen.map(({ view, rowsTotal }) => `${view} ${rowsTotal}`))).toEqual(
      new Set(['spending 20']),
    );
  });

  it('in slices ends as in one, and keeps one interval', async () => {
    const [one, many] = [await openState(), await openState()];
    await bench.materialize(one, interval(0, 30_000_000));
    const result = await bench.materialize(many, interval(0, 30_000_000), { sliceRowsMax: 3 });
    expect(result).toMatchObject({ rowsRead: 20, intervals: [interval(0, 30_000_000)] });
    expect(await storeChecksum(many)).toEqual(await storeChecksum(one));
  });

  it('keeps several views of one history apart', async () => {
    const state = await openState();
    const other = featureView({
      name: 'other',
      entities: [entity({ name: 'user', joinKeys: { user: 'string' } })],
      source: SOURCE,
      schema: { amount: 'int64' },
    }) as unknown as FeatureView;
    await bench.materialize(state, interval(0, 9_000_000));
    await bench.materialize(state, interval(10_000_000, 11_000_000), { view: other });
    expect(await materializationIntervals(state, VIEW)).toEqual([interval(0, 9_000_000)]);
    expect(await materializationIntervals(state, other)).toEqual([
      interval(10_000_000, 11_000_000),
    ]);
    expect(Object.keys(await stored(state, other))).toEqual(['u0', 'u1']);
  });
});

describe('what a history may hold', () => {
  it('leaves out rows without a key or a time; a null feature is a value', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', [
        { user: null, at: 1, amount: 1 },
        { user: 'u', at: null, amount: 2 },
        { user: 'u', at: 3, amount: 3 },
        { user: 'u', at: 4, amount: null },
      ]);
      const state = await openState();
      const result = await bench.materialize(state, interval(0, 9));
      expect(result).toMatchObject({ rowsRead: 3, rowsWritten: 1 });
      expect(await stored(state)).toEqual({ u: [null, 4] });
    }));

  it('decides between equal times by created time, then by file and row', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', [
        { user: 'made', at: 1, made: 9, amount: 1 },
        { user: 'made', at: 1, made: 8, amount: 2 },
        { user: 'row', at: 1, amount: 3 },
        { user: 'row', at: 1, amount: 4 },
        { user: 'file', at: 1, amount: 5 },
      ]);
      await bench.writeFile('b', [
        { user: 'file', at: 1, amount: 6 },
        { user: 'made', at: 1, amount: 7 },
      ]);
      const state = await openState();
      await bench.materialize(state, interval(0, 9));
      expect(await stored(state)).toEqual({ made: [1, 1], row: [4, 1], file: [6, 1] });
    }));

  it('is an error where it is not there, is no Parquet, or lacks a column', () =>
    withBench(async (bench) => {
      const state = await openState();
      const run = (source = SOURCE) =>
        failure(bench.materialize(state, interval(0, 9), { source }));
      expect((await run()).code).toBe('PARQUET_INVALID');
      await bench.writeFile('a', rowsOf(1));
      const without = (column: string): typeof SOURCE =>
        ({ ...SOURCE, columnMap: { [column]: 'nowhere' } }) as typeof SOURCE;
      expect(await run(without('amount'))).toMatchObject({
        code: 'COLUMN_MISSING',
        where: { column: 'nowhere', source: 'history' },
      });
      expect(await run(without('user'))).toMatchObject({
        code: 'JOIN_KEY_NOT_IN_SOURCE',
        where: { column: 'nowhere', view: 'spending' },
        message: expect.stringContaining('join key "user" of view "spending"'),
      });
      expect(await materializationIntervals(state, VIEW)).toEqual([]);
    }));
});

describe('files that change between runs', () => {
  const RANGE = interval(0, 100_000_000);

  it('bring late rows into what was done, which an incremental run of Feast never sees', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', rowsOf(10));
      const state = await openState();
      await bench.materialize(state, interval(0, 50_000_000));
      await bench.writeFile('b', [{ user: 'late', at: 20_000_000, amount: 99 }]);
      const next = interval(0, 60_000_000);
      const result = await bench.materialize(state, next, { mode: 'incremental' });
      expect(result).toMatchObject({ rowsRead: 1, rowsWritten: 1, intervals: [next] });
      expect((await stored(state))['late']).toEqual([99, 20_000_000]);
    }));

  it('are read again when they are written over, and only they', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', rowsOf(10));
      await bench.writeFile('b', rowsOf(10, 10));
      const state = await openState();
      await bench.materialize(state, RANGE);
      await bench.writeFile('b', [...rowsOf(10, 10), { user: 'u0', at: 90_000_000, amount: -1 }]);
      const result = await bench.materialize(state, RANGE, { mode: 'incremental' });
      expect(result).toMatchObject({ rowsRead: 11, rowsWritten: 1 });
      expect((await stored(state))['u0']).toEqual([-1, 90_000_000]);
    }));

  it('of which nothing but the time of the file changed change nothing', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', rowsOf(10));
      const state = await openState();
      await bench.materialize(state, RANGE);
      const before = await storeChecksum(state);
      utimesSync(join(bench.directory, 'history', 'a.parquet'), 1, 1);
      const result = await bench.materialize(state, RANGE);
      expect(result).toMatchObject({ rowsRead: 10, rowsWritten: 0 });
      expect(await storeChecksum(state)).toEqual(before);
    }));

  it('and are gone leave what was read, and nothing is read again', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', rowsOf(10));
      await bench.writeFile('b', rowsOf(10, 10));
      const state = await openState();
      await bench.materialize(state, RANGE);
      const before = await stored(state);
      bench.removeFile('b');
      expect(await bench.materialize(state, RANGE)).toMatchObject({ rowsRead: 0 });
      expect(await stored(state)).toEqual(before);
    }));

  it('and are new before others take their place among rows of equal times', () =>
    withBench(async (bench) => {
      const state = await openState();
      await bench.writeFile('b', [{ user: 'u', at: 1, amount: 1 }]);
      await bench.materialize(state, RANGE);
      await bench.writeFile('a', [
        { user: 'x', at: 1, amount: 0 },
        { user: 'u', at: 1, amount: 2 },
      ]);
      await bench.materialize(state, RANGE, { mode: 'incremental' });
      expect((await stored(state))['u']).toEqual([1, 1]);
    }));

  it(`end as one run over the last files does (seed ${SEED})`, async () => {
    const row = fc.record({
      user: fc.constantFrom('a', 'b', 'c'),
      at: fc.nat(30),
      made: fc.option(fc.nat(3)),
      amount: fc.nat(1_000),
    });
    // Files grow: rows that are taken out of a history stay in the store.
    const step = fc.record({
      file: fc.constantFrom('f1', 'f2', 'f3'),
      rows: fc.array(row, { minLength: 1, maxLength: 5 }),
      from: fc.nat(30),
      length: fc.nat(30),
      mode: fc.constantFrom('range' as const, 'incremental' as const),
    });
    await withBench(async (bench) => {
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
          const folder = `run${runs++}`;
          const source = { ...SOURCE, path: `${folder}/*.parquet` };
          const state = await openState();
          const files = new Map<string, HistoryRow[]>();
          let intervals: readonly MaterializationInterval[] = [];
          for (const { file, rows, from, length, mode } of steps) {
            files.set(file, [...(files.get(file) ?? []), ...rows]);
            await bench.writeFile(file, files.get(file)!, folder);
            const result = await bench.materialize(state, interval(from, from + length), {
              source,
              mode,
              sliceRowsMax: 3,
            });
            intervals = result.intervals;
          }
          const inOrder = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rows]) => rows);
          expect(await stored(state)).toEqual(expected(inOrder, intervals));
        }),
        { seed: SEED, numRuns: 40 },
      );
    });
  }, 120_000);
});

describe('windows over files that change between runs', () => {
  const windows = windowedFeatureView({
    name: 'windows',
    entities: VIEW.entities,
    source: SOURCE,
    aggregations: [
      { function: 'count', window: tumbling('10s'), name: 'n' },
      { column: 'amount', function: 'last', window: lifetime(), name: 'newest' },
    ],
  }) as unknown as FeatureView;

  it('count the rows of files behind all others beside what they have', () =>
    withBench(async (bench) => {
      const state = await openState();
      const run = () =>
        bench.materialize(state, interval(0, 60_000_000), { view: windows, sliceRowsMax: 7 });
      await bench.writeFile('a', rowsOf(40));
      await run();
      await bench.writeFile('b', rowsOf(20, 5));
      await bench.writeFile('c', rowsOf(10, 9));
      expect(await run()).toMatchObject({ rowsRead: 30 });
      expect(await run()).toMatchObject({ rowsRead: 0 });
      await bench.writeFile('a0', rowsOf(1));
      expect(await run()).toMatchObject({ rowsRead: 71 });
    }));

  it(`have every row once, as one run over the last files (seed ${SEED})`, async () => {
    const row = fc.record({
      user: fc.constantFrom('a', 'b', 'c'),
      at: fc.nat(30_000_000),
      amount: fc.nat(1_000),
    });
    const step = fc.record({
      file: fc.constantFrom('f1', 'f2', 'f3', 'f4', 'f5', 'f6'),
      rows: fc.array(row, { minLength: 1, maxLength: 9 }),
      from: fc.nat(30_000_000),
      length: fc.nat(30_000_000),
      mode: fc.constantFrom('range' as const, 'incremental' as const),
    });
    await withBench(async (bench) => {
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
          const folder = `run${runs++}`;
          const source = { ...SOURCE, path: `${folder}/*.parquet` };
          const common = { source, view: windows, sliceRowsMax: 5, writeRowsMax: 2 };
          const state = await openState();
          let intervals: readonly MaterializationInterval[] = [];
          for (const { file, rows, from, length, mode } of steps) {
            await bench.writeFile(file, rows, folder);
            const requested = interval(from, from + length);
            intervals = (await bench.materialize(state, requested, { ...common, mode })).intervals;
          }
          const fresh = await openState();
          for (const requested of intervals) await bench.materialize(fresh, requested, common);
          expect(await storeChecksum(state)).toEqual(await storeChecksum(fresh));
        }),
        { seed: SEED, numRuns: 40 },
      );
    });
  }, 120_000);
});

describe('a backfill beside the stream', () => {
  const stream = topicSource({
    name: 'live',
    topic: 'live',
    schema: SOURCE.schema,
    timestampField: 'at',
    createdTimestampField: 'made',
    keyFields: ['user'],
    partitions: 1,
  });
  const both = featureView({
    name: 'both',
    entities: VIEW.entities,
    source: stream,
    batchSource: SOURCE,
    schema: { amount: 'int64' },
  }) as unknown as FeatureView;

  async function produce(state: StateStore, rows: readonly HistoryRow[]): Promise<void> {
    const sourceId = await state.dictionary.ensureSource(stream.name);
    const layout = rowLayout(stream.schema);
    const upserter = await createRowUpserter({
      state,
      view: both,
      sourceId,
      layout,
      partitions: 1,
    });
    const batch = new KvBatch();
    const given = rows.map(({ user, at, amount }) => ({
      ...{ user, amount, made: null },
      at: T0 + (at ?? 0),
    }));
    await upserter.upsert(makeRows(layout, given), { partition: 0, rank: RANK_STREAM }, batch);
    await state.kv.write(batch);
  }

  it.each(['before', 'after'])(
    'that was written %s it is served by the newer row',
    async (when) => {
      await withBench(async (bench) => {
        await bench.writeFile('a', [
          { user: 'stream', at: 5, amount: 1 },
          { user: 'batch', at: 9, amount: 1 },
          { user: 'tie', at: 7, amount: 1 },
        ]);
        const live = ['stream', 'batch', 'tie'].map((user) => ({ user, at: 7, amount: 2 }));
        const state = await openState();
        if (when === 'before') await produce(state, live);
        await bench.materialize(state, interval(0, 100), { view: both });
        if (when === 'after') await produce(state, live);
        const found = await newestOf(state);
        expect(found).toEqual({ stream: 2, batch: 1, tie: 2 });
      });
    },
  );

  async function newestOf(state: StateStore): Promise<Record<string, unknown>> {
    const reader = new OnlineReader({ state, partitionsOf: () => 1 }, [
      { view: both, features: ['amount'], types: ['int64'] },
    ]);
    const users = ['stream', 'batch', 'tie'];
    const [columns] = await reader.read([users.map((user) => [user])], T0 + 100);
    return Object.fromEntries(users.map((user, i) => [user, Number(columns!.values[0]![i])]));
  }
});

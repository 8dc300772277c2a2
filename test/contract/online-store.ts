/**
 * What the online store promises, on any key-value store: the newest row of every entity, whatever
 * order rows come in, and nothing else.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partitionForKey } from '../../src/core/murmur2.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_BATCH, RANK_STREAM, type SourceRank } from '../../src/core/row-order.ts';
import type { FeatureView } from '../../src/definition/index.ts';
import { KvBatch, type KvStore } from '../../src/kv/index.ts';
import {
  BATCH_ROW,
  createRowUpserter,
  FEATURE_ABSENT,
  FEATURE_NULL,
  FEATURE_PRESENT,
  type InspectedRow,
  inspectRows,
  OnlineReader,
  type RowColumns,
  type RowUpserter,
  storeChecksum,
  UNKNOWN_PARTITION,
  type UpsertResult,
} from '../../src/online/index.ts';
import { deleteViewState, openStateStore, type StateStore } from '../../src/state/index.ts';
import { flights, history, LAYOUT, stats } from '../online/fixtures.ts';
import { makeRows, type TestRow } from '../online/make-rows.ts';
import { NaiveNewestRows } from '../oracle/naive-newest-rows.ts';

export interface OnlineStoreSubject {
  readonly name: string;
  /** An empty store. */
  open(): Promise<KvStore>;
}

const PARTITIONS = 4;

/** One store with writers for each partition and a reader. */
class Harness {
  readonly state: StateStore;
  readonly view: FeatureView;
  readonly #writers = new Map<string, Promise<RowUpserter>>();

  constructor(state: StateStore, view: FeatureView) {
    this.state = state;
    this.view = view;
  }

  async write(
    rows: readonly TestRow[],
    to: { partition?: number; rank?: SourceRank; layout?: typeof LAYOUT; into?: KvBatch } = {},
  ): Promise<UpsertResult> {
    const { partition = homeOf('JFK'), rank = RANK_STREAM, layout = LAYOUT } = to;
    const into = to.into ?? new KvBatch();
    const writer = await this.writer(partition, rank, layout);
    const result = await writer.upsert(makeRows(layout, rows), { partition, rank }, into);
    if (to.into === undefined) await this.state.kv.write(into);
    return result;
  }

  writer(partition: number, rank: SourceRank, layout = LAYOUT): Promise<RowUpserter> {
    const key = `${rank} ${partition} ${layout.names}`;
    const known = this.#writers.get(key) ?? this.#open(rank, layout);
    this.#writers.set(key, known);
    return known;
  }

  async read(keys: readonly string[], features = ['delay', 'carrier']): Promise<RowColumns> {
    const types = features.map((name) => this.view.schema[name]!);
    const reader = new OnlineReader({ state: this.state, partitionsOf: () => PARTITIONS }, [
      { view: this.view, features, types },
    ]);
    const [columns] = await reader.read([keys.map((key) => [key])], 0);
    return columns!;
  }

  async delays(...keys: string[]): Promise<unknown[]> {
    const { values } = await this.read(keys, ['delay']);
    return [...values[0]!];
  }

  async #open(rank: SourceRank, layout: typeof LAYOUT): Promise<RowUpserter> {
    const isBatch = rank === RANK_BATCH;
    const sourceId = await this.state.dictionary.ensureSource(
      isBatch ? history.name : flights.name,
    );
    return createRowUpserter({
      state: this.state,
      view: this.view,
      sourceId,
      layout,
      partitions: isBatch ? 1 : PARTITIONS,
      memoEntriesMax: 4,
    });
  }
}

function homeOf(airport: string): number {
  return partitionForKey(Buffer.from(airport), PARTITIONS);
}

export function onlineStoreSuite({ name, open }: OnlineStoreSubject): void {
  describe(`online store on ${name}`, () => {
    let kv: KvStore;
    let store: Harness;

    beforeEach(async () => {
      kv = await open();
      store = new Harness(await openStateStore(kv), stats);
    });

    afterEach(() => kv.close());

    describe('a write', () => {
      it('keeps the newest row of a batch, in whatever order the rows are', async () => {
        const result = await store.write([
          { at: 2, airport: 'JFK', delay: 2 },
          { at: 3, airport: 'JFK', delay: 3 },
          { at: 1, airport: 'JFK', delay: 1 },
        ]);
        expect(result).toEqual({ written: 1, stale: 2, withoutKey: 0 });
        expect(await store.delays('JFK')).toEqual([3]);
      });

      it('never lets an older row overwrite a newer one', async () => {
        await store.write([{ at: 5, airport: 'JFK', delay: 5 }]);
        expect(await store.write([{ at: 4, airport: 'JFK', delay: 4 }])).toMatchObject({
          written: 0,
          stale: 1,
        });
        const fresh = new Harness(store.state, stats); // knows nothing from before
        await fresh.write([{ at: 3, airport: 'JFK', delay: 3 }]);
        expect(await store.delays('JFK')).toEqual([5]);
      });

      it('decides equal event times by created time, then by offset', async () => {
        await store.write([{ at: 5, created: 2, offset: 1, airport: 'JFK', delay: 1 }]);
        await store.write([{ at: 5, created: 1, offset: 2, airport: 'JFK', delay: 2 }]);
        expect(await store.delays('JFK')).toEqual([1]);
        await store.write([{ at: 5, created: 2, offset: 3, airport: 'JFK', delay: 3 }]);
        expect(await store.delays('JFK')).toEqual([3]);
      });

      it('changes nothing when it is made again', async () => {
        const rows = [{ at: 5, airport: 'JFK', delay: 5 }];
        await store.write(rows);
        const before = await storeChecksum(store.state);
        expect(await new Harness(store.state, stats).write(rows)).toMatchObject({ written: 0 });
        expect(await storeChecksum(store.state)).toEqual(before);
      });

      it('sees the rows of earlier calls that are not yet written', async () => {
        const into = new KvBatch();
        const rows = (letter: string, at: number): TestRow[] =>
          Array.from({ length: 20 }, (_, i) => ({ at, airport: `${letter}${i}`, delay: at }));
        // More entities than the memo has room for, so that only the rule keeps the first ones.
        for (const letter of ['A', 'B', 'C', 'D']) await store.write(rows(letter, 9), { into });
        expect(await store.write(rows('A', 8), { into })).toMatchObject({ written: 0 });
        await kv.write(into);
        const airports = rows('A', 0).map(({ airport }) => airport as string);
        expect(await store.delays(...airports)).toEqual(airports.map(() => 9));
      });

      it('counts rows without a join key and keeps the others', async () => {
        const result = await store.write([
          { at: 1, airport: null, delay: 1 },
          { at: 1, airport: 'JFK', delay: 2 },
        ]);
        expect(result).toEqual({ written: 1, stale: 0, withoutKey: 1 });
        expect(await store.delays('JFK')).toEqual([2]);
      });

      it('takes an empty batch', async () => {
        expect(await store.write([])).toEqual({ written: 0, stale: 0, withoutKey: 0 });
      });
    });

    describe('a read', () => {
      it('tells a null value from a feature that the row never had', async () => {
        const narrow = rowLayout({ date: 'timestamp', airport: 'string', delay: 'int32' });
        await store.write([{ at: 1, airport: 'JFK', delay: null }], { layout: narrow });
        const { states, values } = await store.read(['JFK', 'BOS']);
        expect(states.map((column) => [...column])).toEqual([
          [FEATURE_NULL, FEATURE_ABSENT],
          [FEATURE_ABSENT, FEATURE_ABSENT],
        ]);
        expect(values).toEqual([
          [null, null],
          [null, null],
        ]);
      });

      it('keeps the order of the keys, duplicates and missing ones', async () => {
        await store.write([{ at: 7, airport: 'JFK', delay: 7, carrier: 'AA' }]);
        const { values, states, eventTimesUs } = await store.read(['BOS', 'JFK', 'JFK']);
        expect(values).toEqual([
          [null, 7, 7],
          [null, 'AA', 'AA'],
        ]);
        expect([...states[0]!]).toEqual([FEATURE_ABSENT, FEATURE_PRESENT, FEATURE_PRESENT]);
        expect([...eventTimesUs]).toEqual([Number.NaN, 7, 7]);
      });

      it('of a store that was never written finds nothing', async () => {
        expect(await store.delays('JFK')).toEqual([null]);
      });

      it('is one read of the key-value store', async () => {
        await store.write([{ at: 7, airport: 'JFK', delay: 7 }]);
        let reads = 0;
        const { getMany } = kv;
        kv.getMany = (keys) => {
          reads++;
          return getMany.call(kv, keys);
        };
        await store.read(['JFK', 'BOS', 'SFO']);
        expect(reads).toBe(1);
      });

      it('takes the greater of a streamed row and one of batch history', async () => {
        await store.write([{ at: 5, airport: 'JFK', delay: 5 }]);
        const older = { partition: 0, rank: RANK_BATCH } as const;
        await store.write([{ at: 5, offset: 9, airport: 'JFK', delay: 1 }], older);
        expect(await store.delays('JFK')).toEqual([5]);
        await store.write([{ at: 6, airport: 'JFK', delay: 6 }], older);
        expect(await store.delays('JFK')).toEqual([6]);
        expect([...(await store.read(['JFK'])).partitions]).toEqual([BATCH_ROW]);
      });
    });

    describe('an entity outside its home partition', () => {
      const home = homeOf('JFK');
      const away = (home + 1) % PARTITIONS;

      it('is found once it has been there', async () => {
        await store.write([{ at: 5, airport: 'JFK', delay: 5 }], { partition: home });
        expect([...(await store.read(['JFK', 'BOS'])).partitions]).toEqual([home, homeOf('BOS')]);
        await store.write([{ at: 6, airport: 'JFK', delay: 6 }], { partition: away });
        expect(await store.delays('JFK')).toEqual([6]);
        await store.write([{ at: 7, airport: 'JFK', delay: 7 }], { partition: home });
        const { partitions } = await store.read(['JFK', 'BOS']);
        expect([...partitions]).toEqual([home, UNKNOWN_PARTITION]);
      });

      it('is found after the store was opened again', async () => {
        await store.write([{ at: 6, airport: 'JFK', delay: 6 }], { partition: away });
        const again = new Harness(await openStateStore(kv), stats);
        expect(await again.delays('JFK')).toEqual([6]);
      });
    });

    it('agrees with a naive oracle on any rows in any batches', async () => {
      const row = fc.record({
        at: fc.integer({ min: 0, max: 4 }),
        created: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
        airport: fc.constantFrom('JFK', 'BOS', 'SFO', 'LAX', 'ORD', 'ATL', 'DEN', 'SEA'),
        delay: fc.option(fc.integer({ min: 0, max: 99 })),
      });
      const write = fc.record({
        rows: fc.array(row, { maxLength: 12 }),
        partition: fc.option(fc.integer({ min: 0, max: PARTITIONS - 1 })),
        isBatch: fc.boolean(),
        isFresh: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(write, { maxLength: 6 }), async (writes) => {
          const own = await open();
          const state = await openStateStore(own);
          const oracle = new NaiveNewestRows();
          let offset = 0;
          let subject = new Harness(state, stats);
          for (const { rows, partition, isBatch, isFresh } of writes) {
            if (isFresh) subject = new Harness(state, stats);
            const rank = isBatch ? RANK_BATCH : RANK_STREAM;
            for (const [to, group] of byPartition(rows, isBatch ? 0 : partition)) {
              const numbered = group.map((r) => ({ ...r, offset: offset++ }));
              await subject.write(numbered as TestRow[], { partition: to, rank });
              for (const r of numbered) oracle.add(r as TestRow, to, rank, r.offset);
            }
          }
          const airports = ['JFK', 'BOS', 'SFO', 'LAX', 'ORD', 'ATL', 'DEN', 'SEA'];
          const { values, eventTimesUs } = await subject.read(airports);
          const newest = airports.map((a) => oracle.newest(({ airport }) => airport === a));
          expect(values[0]).toEqual(newest.map((r) => r?.['delay'] ?? null));
          expect([...eventTimesUs]).toEqual(newest.map((r) => r?.at ?? Number.NaN));
          await own.close();
        }),
        { numRuns: 60 },
      );
    });

    describe('the checksum', () => {
      it('is equal for equal rows, whatever ids their names got', async () => {
        const rows = [{ at: 1, airport: 'JFK', delay: 1 }];
        await store.write(rows);
        const kv2 = await open();
        const state = await openStateStore(kv2);
        await state.dictionary.ensureView('first');
        await state.dictionary.ensureSource('first');
        await state.dictionary.ensureLayout({ first: 'int32' });
        const other = new Harness(state, stats);
        await other.write(rows);
        const checksum = await storeChecksum(store.state);
        expect(checksum['stats']).toMatchObject({ rows: 1 });
        expect(await storeChecksum(state)).toEqual(checksum);
        await other.write([{ at: 2, airport: 'JFK', delay: 1 }]);
        expect(await storeChecksum(state)).not.toEqual(checksum);
        await kv2.close();
      });
    });

    it('shows its rows to a person', async () => {
      await store.write([{ at: 1, offset: 4, airport: 'JFK', delay: null, carrier: 'AA' }]);
      const rows: InspectedRow[] = [];
      for await (const row of inspectRows(store.state, stats)) rows.push(row);
      expect(rows).toEqual([
        {
          view: 'stats',
          source: 'flights',
          partition: homeOf('JFK'),
          entityKey: { airport: 'JFK' },
          features: { delay: null, carrier: 'AA' },
          eventTimeUs: 1,
          createdTimeUs: null,
          rank: RANK_STREAM,
          offset: 4,
        },
      ]);
    });

    it('has nothing of a view that was deleted, and takes it up again', async () => {
      await store.write([{ at: 1, airport: 'JFK', delay: 1 }]);
      await deleteViewState(store.state, 'stats');
      expect(await store.delays('JFK')).toEqual([null]);
      const again = new Harness(store.state, stats);
      await again.write([{ at: 0, airport: 'JFK', delay: 0 }]);
      expect(await again.delays('JFK')).toEqual([0]);
    });
  });
}

/** Rows by the partition they are sent to: their home, or the one that is named. */
function byPartition<R extends { readonly airport: string }>(
  rows: readonly R[],
  partition: number | null,
): Map<number, R[]> {
  const groups = new Map<number, R[]>();
  for (const row of rows) {
    const to = partition ?? homeOf(row.airport);
    groups.set(to, [...(groups.get(to) ?? []), row]);
  }
  return groups;
}

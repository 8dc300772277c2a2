/**
 * Keeps the newest row of every entity of one view, for the rows of one partition: an older row
 * never overwrites a newer one, whichever arrives first (`core/row-order.ts`).
 */
import type { RowBatch, RowLayout } from '../core/row-batch.ts';
import type { SourceRank } from '../core/row-order.ts';
import type { FeatureView } from '../definition/index.ts';
import type { KvBatch } from '../kv/index.ts';
import {
  type EntityKeyCodec,
  entityKeyCodec,
  entityStateKey,
  type HomeFinder,
  homeFinder,
  type RowKeyer,
  SPACE,
  type StateStore,
} from '../state/index.ts';
import { claimView } from './claim-view.ts';
import { OrderMemo } from './order-memo.ts';
import { RowValueEncoder, readStoredOrder } from './row-value.ts';
import type { WindowResult } from './window-results.ts';

export interface RowUpserter {
  /**
   * Puts the newest rows into the batch, those that are newer than what is stored. Rows put by
   * earlier calls count as stored: write the batches in the order of the calls, and after an error
   * of a call or a write open another upserter.
   */
  upsert(rows: RowBatch, from: UpsertOrigin, into: KvBatch): Promise<UpsertResult>;
}

export interface UpsertOrigin {
  readonly partition: number;
  readonly rank: SourceRank;
  /** By row, how far it lay behind the stream time it met, microseconds. Default: no row is late. */
  readonly lateByUs?: Float64Array;
  /** Stream time behind the last row. Default null: batch history comes in any order, and stays. */
  readonly streamTimeUs?: number | null;
  /**
   * The first row that was never applied, default 0. A newest row may be put twice, a window may not
   * count a row twice.
   */
  readonly firstNew?: number;
}

/** What became of the rows; the three add up to all of them. */
export interface UpsertResult {
  readonly written: number;
  /** Rows that are not the newest of their entity. */
  readonly stale: number;
  /** Rows with a null join key. */
  readonly withoutKey: number;
  /** Results of windows to be sent, in the order of their ends; none for a view without `emit`. */
  readonly results?: readonly WindowResult[];
}

export interface RowUpserterOptions {
  readonly state: StateStore;
  readonly view: FeatureView;
  /** The name that the state has in the store. Default: that of the view. */
  readonly stateName?: string;
  /** Id of the source of the rows: the view's stream or its batch history. */
  readonly sourceId: number;
  /** Columns of the rows; a feature that has none is absent from what is stored. */
  readonly layout: RowLayout;
  /** Partitions of the source's topic; 1 for batch history. */
  readonly partitions: number;
  /** Entities whose order is remembered, default 131,072: about 80 bytes each beside their keys. */
  readonly memoEntriesMax?: number;
  /** Blocks of windows that stay in memory, default 65,536. */
  readonly cachedBlocksMax?: number;
}

const MEMO_ENTRIES_MAX = 131_072;

/** For a view without windows; one a view and partition. Gives the view its id when it is new. */
export async function createRowUpserter(options: RowUpserterOptions): Promise<RowUpserter> {
  const { state, view, sourceId, layout, partitions } = options;
  const keys = entityKeyCodec(view.joinKeys);
  const viewId = await claimView(options);
  const storedLayout = await state.dictionary.ensureLayout(view.schema);
  const finder = isStream(options) ? homeFinder(view, keys.names) : null;
  const home = finder === null ? null : await state.homes.ensure(viewId, partitions);
  return new PartitionUpserter({
    state,
    keys,
    keyer: keys.forRows(layout),
    encoder: new RowValueEncoder(storedLayout, layout.index),
    viewId,
    sourceId,
    partitions,
    finder: home === null || home.spread ? null : finder,
    memo: new OrderMemo(options.memoEntriesMax ?? MEMO_ENTRIES_MAX),
  });
}

function isStream({ state, view, sourceId }: RowUpserterOptions): boolean {
  return (
    view.streamSource !== null && state.dictionary.sourceId(view.streamSource.name) === sourceId
  );
}

interface Compiled {
  readonly state: StateStore;
  readonly keys: EntityKeyCodec;
  readonly keyer: RowKeyer;
  readonly encoder: RowValueEncoder;
  readonly viewId: number;
  readonly sourceId: number;
  readonly partitions: number;
  /** Null when reads look into every partition anyway. */
  readonly finder: HomeFinder | null;
  readonly memo: OrderMemo;
}

class PartitionUpserter implements RowUpserter {
  readonly #compiled: Compiled;
  #finder: HomeFinder | null;
  #into: KvBatch | null = null;
  /** Slots with a row of the batch at hand, and those whose stored order must be read. */
  readonly #touched: number[] = [];
  readonly #unknown: number[] = [];

  constructor(compiled: Compiled) {
    this.#compiled = compiled;
    this.#finder = compiled.finder;
  }

  async upsert(rows: RowBatch, from: UpsertOrigin, into: KvBatch): Promise<UpsertResult> {
    if (into !== this.#into) this.#compiled.memo.trim();
    this.#into = into;
    this.#touched.length = 0;
    this.#unknown.length = 0;
    const withoutKey = this.#findNewest(rows, from.rank);
    if (this.#unknown.length > 0) {
      this.#watchHomes(rows, from.partition, into);
      await this.#compareWithStored(rows, from.partition);
    }
    const written = this.#putNewest(rows, from, into);
    return { written, stale: rows.count - written - withoutKey, withoutKey };
  }

  /** The newest row of each entity of the batch, above what is known of it. */
  #findNewest(rows: RowBatch, rank: SourceRank): number {
    const { keyer, memo } = this.#compiled;
    const { eventTimesUs, createdTimesUs, offsets } = rows;
    const orders = memo.current;
    let withoutKey = 0;
    for (let i = 0; i < rows.count; i++) {
      const key = keyer.mapKey(rows, i);
      if (key === null) {
        withoutKey++;
        continue;
      }
      let slot = memo.find(key);
      if (slot < 0) {
        slot = memo.add(key);
        this.#unknown.push(slot);
      }
      const event = eventTimesUs[i] as number;
      const created = createdTimesUs[i] as number;
      const offset = offsets[i] as number;
      if (!orders.isBelow(slot, event, created, rank, offset)) continue;
      orders.set(slot, event, created, rank, offset);
      if (orders.best[slot] === -1) this.#touched.push(slot);
      orders.best[slot] = i;
    }
    return withoutKey;
  }

  /** One read for all entities that the memo did not know. */
  async #compareWithStored(rows: RowBatch, partition: number): Promise<void> {
    const orders = this.#compiled.memo.current;
    const keys = this.#unknown.map((slot) =>
      this.#stateKey(rows, orders.best[slot] as number, partition),
    );
    const stored = await this.#compiled.state.kv.getMany(keys);
    for (let n = 0; n < stored.length; n++) {
      const bytes = stored[n];
      const slot = this.#unknown[n] as number;
      if (bytes !== undefined && orders.raise(slot, readStoredOrder(bytes))) orders.best[slot] = -1;
    }
  }

  #putNewest(rows: RowBatch, { partition, rank }: UpsertOrigin, into: KvBatch): number {
    const { encoder, memo } = this.#compiled;
    const { best } = memo.current;
    let written = 0;
    for (const slot of this.#touched) {
      const i = best[slot] as number;
      best[slot] = -1;
      if (i < 0) continue;
      into.put(this.#stateKey(rows, i, partition), encoder.encode(rows, i, rank));
      written++;
    }
    return written;
  }

  /** The first entity outside its home partition spreads the view, in the same batch. */
  #watchHomes(rows: RowBatch, partition: number, into: KvBatch): void {
    const { keyer, memo, viewId, partitions, state } = this.#compiled;
    const finder = this.#finder;
    if (finder === null) return;
    const { best } = memo.current;
    const isAway = (slot: number): boolean =>
      finder.homeOf(keyer.values(rows, best[slot] as number), partitions) !== partition;
    if (!this.#unknown.some(isAway)) return;
    state.homes.markSpread(viewId, partitions, into);
    this.#finder = null;
  }

  #stateKey(rows: RowBatch, i: number, partition: number): Uint8Array {
    const { keys, keyer, sourceId, viewId } = this.#compiled;
    const entityKey = keys.encode(keyer.values(rows, i));
    return entityStateKey(sourceId, partition, SPACE.row, viewId, entityKey);
  }
}

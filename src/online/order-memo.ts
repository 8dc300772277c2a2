import { RANK_BATCH, type SourceRank } from '../core/row-order.ts';
import type { MapKey } from '../state/index.ts';
import type { StoredOrder } from './row-value.ts';

/** Orders before every row. */
const NEVER = Number.NEGATIVE_INFINITY;

/**
 * The newest order of the entities that were met last, so that most rows are compared without a
 * read. Two generations: the younger one fills up, becomes the older one and forgets what that had;
 * an entity that is met again moves to the younger. Columns, not objects: an entry costs about 80
 * bytes and its key.
 */
export class OrderMemo {
  readonly #entriesMax: number;
  #young: Generation;
  #old: Generation | null = null;

  constructor(entriesMax: number) {
    this.#entriesMax = Math.max(2, entriesMax);
    this.#young = new Generation(Math.min(1024, this.#entriesMax));
  }

  /** Makes room; only between two batches, so that what a batch has put stays known until it is written. */
  trim(): void {
    if (this.#young.size < this.#entriesMax / 2) return;
    this.#old = this.#young;
    this.#young = new Generation(1024);
  }

  /** The generation that all slots of now belong to. */
  get current(): Generation {
    return this.#young;
  }

  /** The slot of an entity in `current`; -1 when its order is not known. */
  find(key: MapKey): number {
    const slot = this.#young.find(key);
    if (slot >= 0 || this.#old === null) return slot;
    const older = this.#old.find(key);
    return older < 0 ? -1 : this.#young.copy(key, this.#old, older);
  }

  add(key: MapKey): number {
    return this.#young.add(key);
  }
}

/** Orders by slot. `best` is the row of the batch at hand that the order is of, or -1. */
export class Generation {
  readonly #slots = new Map<MapKey, number>();
  eventTimesUs: Float64Array;
  createdTimesUs: Float64Array;
  offsets: Float64Array;
  ranks: Uint8Array;
  best: Int32Array;

  constructor(capacity: number) {
    this.eventTimesUs = new Float64Array(capacity);
    this.createdTimesUs = new Float64Array(capacity);
    this.offsets = new Float64Array(capacity);
    this.ranks = new Uint8Array(capacity);
    this.best = new Int32Array(capacity);
  }

  get size(): number {
    return this.#slots.size;
  }

  find(key: MapKey): number {
    return this.#slots.get(key) ?? -1;
  }

  /** A slot that orders before every row. */
  add(key: MapKey): number {
    const slot = this.#slots.size;
    if (slot === this.best.length) this.#grow();
    this.#slots.set(key, slot);
    this.set(slot, NEVER, NEVER, RANK_BATCH, 0);
    this.best[slot] = -1;
    return slot;
  }

  copy(key: MapKey, from: Generation, slot: number): number {
    const added = this.add(key);
    this.eventTimesUs[added] = from.eventTimesUs[slot] as number;
    this.createdTimesUs[added] = from.createdTimesUs[slot] as number;
    this.offsets[added] = from.offsets[slot] as number;
    this.ranks[added] = from.ranks[slot] as number;
    return added;
  }

  set(
    slot: number,
    eventTimeUs: number,
    createdTimeUs: number,
    rank: SourceRank,
    offset: number,
  ): void {
    this.eventTimesUs[slot] = eventTimeUs;
    this.createdTimesUs[slot] = createdTimeUs;
    this.ranks[slot] = rank;
    this.offsets[slot] = offset;
  }

  /** Whether the slot's order is below that of a row; all of one partition. */
  isBelow(
    slot: number,
    eventTimeUs: number,
    createdTimeUs: number,
    rank: SourceRank,
    offset: number,
  ): boolean {
    return this.#compare(slot, eventTimeUs, createdTimeUs, rank, offset) < 0;
  }

  /** Takes a stored order over unless the slot's is above it. */
  raise(slot: number, { eventTimeUs, createdTimeUs, rank, offset }: StoredOrder): boolean {
    if (this.#compare(slot, eventTimeUs, createdTimeUs, rank, offset) > 0) return false;
    this.set(slot, eventTimeUs, createdTimeUs, rank, offset);
    return true;
  }

  /** As `compareRowOrder`, without objects. */
  #compare(
    slot: number,
    eventTimeUs: number,
    createdTimeUs: number,
    rank: SourceRank,
    offset: number,
  ): number {
    const event = this.eventTimesUs[slot] as number;
    if (event !== eventTimeUs) return event < eventTimeUs ? -1 : 1;
    const created = this.createdTimesUs[slot] as number;
    if (created !== createdTimeUs) return created < createdTimeUs ? -1 : 1;
    return (this.ranks[slot] as number) - rank || (this.offsets[slot] as number) - offset;
  }

  #grow(): void {
    const capacity = this.best.length * 2;
    this.eventTimesUs = grown(this.eventTimesUs, new Float64Array(capacity));
    this.createdTimesUs = grown(this.createdTimesUs, new Float64Array(capacity));
    this.offsets = grown(this.offsets, new Float64Array(capacity));
    this.ranks = grown(this.ranks, new Uint8Array(capacity));
    this.best = grown(this.best, new Int32Array(capacity));
  }
}

function grown<T extends Float64Array | Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/**
 * The windows of one entity: what rows change and reads read. The online store and the historical
 * sweep keep them in different places and go through this one interface, so that a value cannot
 * depend on which of them computed it.
 */
import type { RowsInOrder } from './aggregator.ts';
import { alignedStartUs, alignedTiles, isInTime, isOpen, slidingTile } from './in-window.ts';
import { addToSessions, forgetSessions, type Sessions } from './sessions.ts';
import { createTile, type GroupColumns, mergeIrs, type Tile, updateTile } from './tile.ts';
import type { WindowGroup, WindowPlan } from './window-plan.ts';

export interface EntityWindows {
  /** Event times of the oldest and newest row that counted; null before the first. */
  readonly head: Head | null;
  tile(group: WindowGroup, index: number): Tile | undefined;
  /**
   * The merged IRs of the `2^level` tiles from `index × 2^level` on, empty where there are none;
   * null where nothing is merged beforehand.
   */
  mergedIrs(group: WindowGroup, level: number, index: number): readonly unknown[] | null;
  sessions(group: WindowGroup): Sessions;
}

/** Windows that rows change. */
export interface ChangingWindows extends EntityWindows {
  head: Head | null;
  /** The tile, made when it is not there; it is about to change. */
  tileForUpdate(group: WindowGroup, index: number): Tile;
  /** The sessions; they are about to change. */
  sessionsForUpdate(group: WindowGroup): Sessions;
}

export interface Head {
  readonly oldestUs: number;
  readonly newestUs: number;
}

/** Where a lifetime or last-rows group keeps its only tile. */
export const ONLY_TILE = 0;

/**
 * Takes row i of a batch into account where it counts. `lateByUs` is how far it lay behind the stream
 * time it met; tiles below `firstTiles` (by group) are left as they are, since no read will reach
 * them. Reads are at or after `readFromUs`, default any time: sessions that none can ask for are
 * forgotten. Answers whether the row counted anywhere.
 */
export function applyRow(
  plan: WindowPlan,
  graceUs: number,
  windows: ChangingWindows,
  columns: readonly GroupColumns[],
  rows: RowsInOrder,
  i: number,
  lateByUs: number,
  firstTiles: readonly number[],
  readFromUs = Number.NEGATIVE_INFINITY,
): boolean {
  const eventTimeUs = rows.eventTimesUs[i] as number;
  let counted = false;
  for (const group of plan.groups) {
    const groupColumns = columns[group.index] as GroupColumns;
    if (group.shape.kind === 'session') {
      const { gapUs } = group.shape;
      if (!isInTime(lateByUs, graceUs + gapUs)) continue;
      counted = true;
      const sessions = windows.sessionsForUpdate(group);
      addToSessions(group, gapUs, sessions, groupColumns, rows, i);
      forgetSessions(sessions, gapUs, readFromUs);
      continue;
    }
    const { first, last } = touchedTiles(group, eventTimeUs);
    for (let index = first; index <= last; index++) {
      if (!counts(group, index, eventTimeUs, lateByUs, graceUs)) continue;
      counted = true;
      if (index < (firstTiles[group.index] as number)) continue;
      updateTile(group, windows.tileForUpdate(group, index), groupColumns, rows, i);
    }
  }
  if (counted) windows.head = extended(windows.head, eventTimeUs);
  return counted;
}

/** The tiles of a group that a row may change. */
export function touchedTiles(
  group: WindowGroup,
  eventTimeUs: number,
): { readonly first: number; readonly last: number } {
  const { shape } = group;
  switch (shape.kind) {
    case 'sliding': {
      const tile = slidingTile(shape.everyUs, eventTimeUs);
      return { first: tile, last: tile };
    }
    case 'aligned':
      return alignedTiles(shape, eventTimeUs);
    default:
      return { first: ONLY_TILE, last: ONLY_TILE };
  }
}

/** Whether a row counts in a tile of its group, by the stream time it met. */
function counts(
  group: WindowGroup,
  index: number,
  eventTimeUs: number,
  lateByUs: number,
  graceUs: number,
): boolean {
  const { shape } = group;
  if (shape.kind !== 'aligned') return isInTime(lateByUs, graceUs);
  return isOpen(alignedStartUs(shape, index) + shape.sizeUs, eventTimeUs, lateByUs, graceUs);
}

function extended(head: Head | null, eventTimeUs: number): Head {
  if (head === null) return { oldestUs: eventTimeUs, newestUs: eventTimeUs };
  if (eventTimeUs >= head.oldestUs && eventTimeUs <= head.newestUs) return head;
  return {
    oldestUs: Math.min(head.oldestUs, eventTimeUs),
    newestUs: Math.max(head.newestUs, eventTimeUs),
  };
}

/** Levels of tiles that are merged beforehand; a window has some 170 tiles at most. */
export const LEVELS = 7;

/** A merge is kept once it was wanted so often: reads that lie far apart share none, and want none made. */
const ASKS_MIN = 3;

/**
 * Windows that live in memory alone. Tiles are merged in pairs, pairs of pairs and so on, once, for
 * reads that follow one another: a window is a dozen merges in place of a hundred.
 */
export class MemoryWindows implements ChangingWindows {
  head: Head | null = null;
  readonly #tiles: Map<number, Tile>[] = [];
  /** By group and level: what is merged, or how often it was asked for. */
  readonly #merged: Map<number, readonly unknown[] | number>[][] = [];
  /** By group: no tile above this is in what was merged. */
  readonly #mergedUpTo: number[] = [];
  readonly #sessions: Sessions[] = [];

  tile(group: WindowGroup, index: number): Tile | undefined {
    return this.#tiles[group.index]?.get(index);
  }

  mergedIrs(group: WindowGroup, level: number, index: number): readonly unknown[] | null {
    if (level === 0) return this.tile(group, index)?.irs ?? NO_IRS;
    const merged = this.#level(group, level);
    const known = merged.get(index);
    if (typeof known === 'object') return known;
    const asks = (known ?? 0) + 1;
    if (asks >= ASKS_MIN) return this.#merge(group, level, index);
    merged.set(index, asks);
    return null;
  }

  #merge(group: WindowGroup, level: number, index: number): readonly unknown[] {
    if (level === 0) return this.tile(group, index)?.irs ?? NO_IRS;
    const merged = this.#level(group, level);
    const known = merged.get(index);
    if (typeof known === 'object') return known;
    const left = this.#merge(group, level - 1, index * 2);
    const right = this.#merge(group, level - 1, index * 2 + 1);
    const irs = left.length === 0 ? right : right.length === 0 ? left : joined(group, left, right);
    merged.set(index, irs);
    const last = (index + 1) * 2 ** level - 1;
    this.#mergedUpTo[group.index] = Math.max(last, this.#mergedUpTo[group.index] ?? last);
    return irs;
  }

  #level(group: WindowGroup, level: number): Map<number, readonly unknown[] | number> {
    this.#merged[group.index] ??= Array.from({ length: LEVELS + 1 }, () => new Map());
    return this.#merged[group.index]?.[level] as Map<number, readonly unknown[] | number>;
  }

  tileForUpdate(group: WindowGroup, index: number): Tile {
    if (index <= (this.#mergedUpTo[group.index] ?? Number.NEGATIVE_INFINITY)) {
      const levels = this.#merged[group.index] as Map<number, readonly unknown[] | number>[];
      for (let l = 1; l <= LEVELS; l++) levels[l]?.delete(Math.floor(index / 2 ** l));
    }
    this.#tiles[group.index] ??= new Map();
    const tiles = this.#tiles[group.index] as Map<number, Tile>;
    let tile = tiles.get(index);
    if (tile === undefined) {
      tile = createTile(group);
      tiles.set(index, tile);
    }
    return tile;
  }

  sessions(group: WindowGroup): Sessions {
    return this.#sessions[group.index] ?? [];
  }

  sessionsForUpdate(group: WindowGroup): Sessions {
    this.#sessions[group.index] ??= [];
    return this.#sessions[group.index] as Sessions;
  }

  /** Forgets the tiles of a group below `index`. */
  dropBelow(group: WindowGroup, index: number): void {
    const tiles = this.#tiles[group.index];
    if (tiles === undefined) return;
    for (const key of tiles.keys()) if (key < index) tiles.delete(key);
    for (const [level, merged] of (this.#merged[group.index] ?? []).entries()) {
      const below = index / 2 ** level;
      for (const key of merged.keys()) if (key < below) merged.delete(key);
    }
  }
}

const NO_IRS: readonly unknown[] = [];

function joined(
  group: WindowGroup,
  left: readonly unknown[],
  right: readonly unknown[],
): readonly unknown[] {
  const irs = group.slots.map(({ aggregator }) => aggregator.create());
  mergeIrs(group, irs, left);
  mergeIrs(group, irs, right);
  return irs;
}

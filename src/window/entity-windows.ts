/**
 * The windows of one entity: what rows change and reads read. The online store and the historical
 * sweep keep them in different places and go through this one interface, so that a value cannot
 * depend on which of them computed it.
 */
import type { RowsInOrder } from './aggregator.ts';
import { alignedStartUs, alignedTiles, isInTime, isOpen, slidingTile } from './in-window.ts';
import { addToSessions, dropClosed, type Sessions } from './sessions.ts';
import { createTile, type GroupColumns, mergeIrs, type Tile, updateTile } from './tile.ts';
import { BLOCK_TILES, blockOf } from './tile-block.ts';
import type { WindowGroup, WindowPlan } from './window-plan.ts';

export interface EntityWindows {
  /** Event times of the oldest and newest row that counted; null before the first. */
  readonly head: Head | null;
  tile(group: WindowGroup, index: number): Tile | undefined;
  /**
   * The merged IRs of all tiles of a block, empty where it has none; null where nothing is merged
   * beforehand.
   */
  blockIrs(group: WindowGroup, block: number): readonly unknown[] | null;
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
 * them. Answers whether it counted anywhere.
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
): boolean {
  const eventTimeUs = rows.eventTimesUs[i] as number;
  let counted = false;
  for (const group of plan.groups) {
    const groupColumns = columns[group.index] as GroupColumns;
    if (group.shape.kind === 'session') {
      const { gapUs } = group.shape;
      const sessions = windows.sessionsForUpdate(group);
      const closedBeforeUs = eventTimeUs + lateByUs - graceUs;
      const added = addToSessions(group, gapUs, sessions, groupColumns, rows, i, closedBeforeUs);
      if (lateByUs === 0) dropClosed(sessions, gapUs, closedBeforeUs);
      counted ||= added;
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

/** Windows that live in memory alone. Blocks are merged once, for reads that follow one another. */
export class MemoryWindows implements ChangingWindows {
  head: Head | null = null;
  readonly #tiles: Map<number, Tile>[] = [];
  readonly #blocks: Map<number, readonly unknown[]>[] = [];
  readonly #sessions: Sessions[] = [];

  tile(group: WindowGroup, index: number): Tile | undefined {
    return this.#tiles[group.index]?.get(index);
  }

  blockIrs(group: WindowGroup, block: number): readonly unknown[] {
    this.#blocks[group.index] ??= new Map();
    const blocks = this.#blocks[group.index] as Map<number, readonly unknown[]>;
    let irs = blocks.get(block);
    if (irs === undefined) {
      irs = this.#mergeBlock(group, block);
      blocks.set(block, irs);
    }
    return irs;
  }

  #mergeBlock(group: WindowGroup, block: number): readonly unknown[] {
    let merged: Tile | null = null;
    for (let place = 0; place < BLOCK_TILES; place++) {
      const tile = this.tile(group, block * BLOCK_TILES + place);
      if (tile === undefined) continue;
      merged ??= createTile(group);
      mergeIrs(group, merged.irs, tile.irs);
    }
    return merged?.irs ?? [];
  }

  tileForUpdate(group: WindowGroup, index: number): Tile {
    this.#blocks[group.index]?.delete(blockOf(index));
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
    const blocks = this.#blocks[group.index];
    for (const block of blocks?.keys() ?? []) if (block <= blockOf(index)) blocks?.delete(block);
  }
}

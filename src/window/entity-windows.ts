/**
 * The windows of one entity: what rows change and reads read. The online store and the historical
 * sweep keep them in different places and go through this one interface, so that a value cannot
 * depend on which of them computed it.
 */
import type { RowsInOrder } from './aggregator.ts';
import {
  alignedStartUs,
  alignedTiles,
  isInTime,
  isOpen,
  slidingTile,
  type TileRange,
} from './in-window.ts';
import { addToSessions, type Sessions } from './sessions.ts';
import { type GroupColumns, type Tile, updateTile } from './tile.ts';
import type { WindowGroup, WindowPlan } from './window-plan.ts';

export interface EntityWindows {
  /** Event times of the oldest and newest row that counted; null before the first. */
  readonly head: Head | null;
  tile(group: WindowGroup, index: number): Tile | undefined;
  /**
   * Pushes IRs whose merge is that of all tiles in a range: those of its tiles, or of runs of them that
   * were merged before. Tiles without rows have none.
   */
  collectIrs(group: WindowGroup, range: TileRange, into: (readonly unknown[])[]): void;
  sessions(group: WindowGroup): Sessions;
}

/** Windows that rows change. */
export interface ChangingWindows extends EntityWindows {
  head: Head | null;
  /** The tile, made when it is not there; it is about to change. */
  tileForUpdate(group: WindowGroup, index: number): Tile;
  /** The sessions; they are about to change. */
  sessionsForUpdate(group: WindowGroup): Sessions;
  /** Forgets what no read at or after a time can ask for, and no row change. */
  forgetSessions(group: WindowGroup, gapUs: number, readFromUs: number): void;
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
      addToSessions(group, gapUs, windows.sessionsForUpdate(group), groupColumns, rows, i);
      windows.forgetSessions(group, gapUs, readFromUs);
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

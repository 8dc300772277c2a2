/**
 * The values of a windowed view at query time q: the IRs of the tiles in the window, merged and
 * finalized. Both reads end here, online and historical.
 *
 * A read that lies before rows the tiles already hold (an as-of read, or a row ahead of the reader's
 * clock) cannot take those rows out of a stepped tile: it moves q back to the tile's edge, and says
 * so. Exact windows filter their rows to the microsecond.
 */
import type { FieldValue } from '../core/field-type.ts';
import type { SlidingWindow } from '../definition/index.ts';
import { type EntityWindows, type Head, LEVELS, ONLY_TILE } from './entity-windows.ts';
import { alignedTileAt, exactRange, steppedRange, type TileRange } from './in-window.ts';
import type { KeptRow } from './kept-rows.ts';
import { sessionAt } from './sessions.ts';
import { irsOfKept, mergeIrs } from './tile.ts';
import type { WindowGroup, WindowPlan, WindowRead } from './window-plan.ts';

export interface WindowValues {
  /** By feature; empty when no row of the entity counts at q. */
  readonly values: ReadonlyMap<string, FieldValue>;
  /** The time that the values speak of, where it is not q itself. */
  readonly effectiveAtUs: number;
}

/** Values of all reads of a plan. `windows` must hold the tiles of `tilesRead`. */
export function readWindows(plan: WindowPlan, windows: EntityWindows, atUs: number): WindowValues {
  const values = new Map<string, FieldValue>();
  const { head } = windows;
  if (head === null || head.oldestUs > atUs) return { values, effectiveAtUs: atUs };
  let effectiveAtUs = atUs;
  for (const read of plan.reads) {
    const { irs, asOfUs } = irsAt(read, windows, head, atUs);
    effectiveAtUs = Math.min(effectiveAtUs, asOfUs);
    for (const { feature, slot } of read.outputs) {
      values.set(feature, finalized(read.group, irs, slot, atUs));
    }
  }
  return { values, effectiveAtUs };
}

/** The tiles that a read of a window at q may touch; none for sessions. */
export function tilesRead({ window, group }: WindowRead, atUs: number): TileRange {
  switch (window.kind) {
    case 'sliding': {
      const range = window.exact ? exactRange(window, atUs) : steppedRange(window, atUs);
      // A read that moves back to a tile's edge begins one tile earlier.
      return { first: range.first - 1, last: range.last };
    }
    case 'tumbling':
    case 'hopping': {
      const tile = alignedTileAt(window, atUs);
      return { first: tile, last: tile };
    }
    default:
      return group.shape.kind === 'session'
        ? { first: ONLY_TILE, last: ONLY_TILE - 1 }
        : { first: ONLY_TILE, last: ONLY_TILE };
  }
}

interface IrsAt {
  /** Null: no rows in the window. */
  readonly irs: readonly unknown[] | null;
  readonly asOfUs: number;
}

function irsAt(read: WindowRead, windows: EntityWindows, head: Head, atUs: number): IrsAt {
  const { group, window } = read;
  switch (window.kind) {
    case 'sliding':
      return window.exact
        ? { irs: exactIrs(group, window, windows, atUs), asOfUs: atUs }
        : steppedIrs(group, window, windows, head, atUs);
    case 'tumbling':
    case 'hopping': {
      const irs = windows.tile(group, alignedTileAt(window, atUs))?.irs ?? null;
      return { irs, asOfUs: atUs };
    }
    case 'session':
      return { irs: sessionAt(windows.sessions(group), atUs)?.tile.irs ?? null, asOfUs: atUs };
    case 'lifetime':
      return { irs: windows.tile(group, ONLY_TILE)?.irs ?? null, asOfUs: atUs };
    case 'lastRows': {
      const kept = windows.tile(group, ONLY_TILE)?.kept ?? [];
      return { irs: irsOfRows(group, kept, (row) => row.order.eventTimeUs <= atUs), asOfUs: atUs };
    }
  }
}

function steppedIrs(
  group: WindowGroup,
  window: SlidingWindow,
  windows: EntityWindows,
  head: Head,
  atUs: number,
): IrsAt {
  const beforeRows = head.newestUs > atUs;
  const asOfUs = beforeRows ? Math.floor(atUs / window.everyUs) * window.everyUs : atUs;
  return { irs: mergedIrs(group, windows, steppedRange(window, asOfUs)), asOfUs };
}

function exactIrs(
  group: WindowGroup,
  window: SlidingWindow,
  windows: EntityWindows,
  atUs: number,
): readonly unknown[] | null {
  const { first, last } = exactRange(window, atUs);
  const passes = ({ order }: KeptRow): boolean =>
    order.eventTimeUs > atUs - window.sizeUs && order.eventTimeUs <= atUs;
  const edges = [...new Set([first, last])].flatMap(
    (index) => windows.tile(group, index)?.kept ?? [],
  );
  const edgeIrs = irsOfRows(group, edges, passes);
  const inner = mergedIrs(group, windows, { first: first + 1, last: last - 1 });
  if (inner === null || edgeIrs === null) return inner ?? edgeIrs;
  for (const [s, slot] of group.slots.entries()) slot.aggregator.merge(inner[s], edgeIrs[s]);
  return inner;
}

function irsOfRows(
  group: WindowGroup,
  kept: readonly KeptRow[],
  passes: (row: KeptRow) => boolean,
): unknown[] | null {
  const rows = kept.filter(passes);
  return rows.length === 0 ? null : irsOfKept(group, rows);
}

/** The largest aligned runs of tiles that are merged beforehand; where none are, single tiles. */
function mergedIrs(group: WindowGroup, windows: EntityWindows, range: TileRange): unknown[] | null {
  let merged: unknown[] | null = null;
  for (let index = range.first; index <= range.last; ) {
    let level = 0;
    // The last tile stays single: it is the one that the next rows change.
    while (
      level < LEVELS &&
      index % 2 ** (level + 1) === 0 &&
      index + 2 ** (level + 1) <= range.last
    ) {
      level++;
    }
    const beforehand = windows.mergedIrs(group, level, index / 2 ** level);
    const irs = beforehand ?? windows.tile(group, index)?.irs ?? [];
    index += beforehand === null ? 1 : 2 ** level;
    if (irs.length === 0) continue;
    merged ??= group.slots.map(({ aggregator }) => aggregator.create());
    mergeIrs(group, merged, irs);
  }
  return merged;
}

/** An empty window is finalized, too: a count of nothing is 0. */
function finalized(
  group: WindowGroup,
  irs: readonly unknown[] | null,
  slot: number,
  atUs: number,
): FieldValue {
  const { aggregator } = group.slots[slot] as WindowGroup['slots'][number];
  return aggregator.finalize(irs === null ? aggregator.create() : irs[slot], atUs);
}

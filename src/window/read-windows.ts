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
import { type EntityWindows, type Head, ONLY_TILE } from './entity-windows.ts';
import { alignedTileAt, exactRange, steppedRange, type TileRange } from './in-window.ts';
import type { KeptRow } from './kept-rows.ts';
import { sessionAt } from './sessions.ts';
import { irsOfKept } from './tile.ts';
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
  const parts: Irs[] = [];
  for (const read of plan.reads) {
    parts.length = 0;
    effectiveAtUs = Math.min(effectiveAtUs, collectParts(read, windows, head, atUs, parts));
    for (const { feature, slot } of read.outputs) {
      values.set(feature, finalized(read.group, parts, slot, atUs));
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

/** By slot. */
type Irs = readonly unknown[];

/** Pushes IRs whose merge is the window at q; answers with the time that they speak of. */
function collectParts(
  { group, window }: WindowRead,
  windows: EntityWindows,
  head: Head,
  atUs: number,
  parts: Irs[],
): number {
  const only = (irs: Irs | null | undefined): number => {
    if (irs) parts.push(irs);
    return atUs;
  };
  switch (window.kind) {
    case 'sliding': {
      if (window.exact) {
        collectExact(group, window, windows, atUs, parts);
        return atUs;
      }
      const beforeRows = head.newestUs > atUs;
      const asOfUs = beforeRows ? Math.floor(atUs / window.everyUs) * window.everyUs : atUs;
      windows.collectIrs(group, steppedRange(window, asOfUs), parts);
      return asOfUs;
    }
    case 'tumbling':
    case 'hopping':
      return only(windows.tile(group, alignedTileAt(window, atUs))?.irs);
    case 'session':
      return only(sessionAt(windows.sessions(group), atUs)?.tile.irs);
    case 'lifetime':
      return only(windows.tile(group, ONLY_TILE)?.irs);
    case 'lastRows': {
      const kept = windows.tile(group, ONLY_TILE)?.kept ?? [];
      return only(irsOfRows(group, kept, (row) => row.order.eventTimeUs <= atUs));
    }
  }
}

/** Whole tiles, and the rows of the two at the edges that are in the window. */
function collectExact(
  group: WindowGroup,
  window: SlidingWindow,
  windows: EntityWindows,
  atUs: number,
  parts: Irs[],
): void {
  const { first, last } = exactRange(window, atUs);
  windows.collectIrs(group, { first: first + 1, last: last - 1 }, parts);
  const edges = [...new Set([first, last])].flatMap(
    (index) => windows.tile(group, index)?.kept ?? [],
  );
  const atEdges = irsOfRows(
    group,
    edges,
    ({ order }) => order.eventTimeUs > atUs - window.sizeUs && order.eventTimeUs <= atUs,
  );
  if (atEdges !== null) parts.push(atEdges);
}

function irsOfRows(
  group: WindowGroup,
  kept: readonly KeptRow[],
  passes: (row: KeptRow) => boolean,
): unknown[] | null {
  const rows = kept.filter(passes);
  return rows.length === 0 ? null : irsOfKept(group, rows);
}

/** An empty window is finalized, too: a count of nothing is 0. */
function finalized(
  group: WindowGroup,
  parts: readonly Irs[],
  slot: number,
  atUs: number,
): FieldValue {
  const { aggregator } = group.slots[slot] as WindowGroup['slots'][number];
  if (parts.length === 1) return aggregator.finalize(parts[0]?.[slot], atUs);
  if (parts.length > 1 && aggregator.finalizeMerged !== undefined) {
    const value = aggregator.finalizeMerged(
      parts.map((irs) => irs[slot]),
      atUs,
    );
    if (value !== undefined) return value;
  }
  const merged = aggregator.create();
  for (let k = 0; k < parts.length; k++) aggregator.merge(merged, parts[k]?.[slot]);
  return aggregator.finalize(merged, atUs);
}

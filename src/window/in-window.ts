/**
 * Which rows count: the one rule that online state, historical joins and replays all follow.
 *
 * Sliding windows count rows with `q - size < t <= q`, so their tiles are `(start, end]`: tile k
 * of a group that steps by E holds `k·E < t <= (k+1)·E`. Aligned windows count `[start, end)`: tile
 * k is the window that starts at `k·every + offset`. Times are whole microseconds.
 */
import type { SlidingWindow, WindowSpec } from '../definition/index.ts';
import type { GroupShape } from './window-plan.ts';

/** Tiles `first` to `last`, both included; none when `last < first`. */
export interface TileRange {
  readonly first: number;
  readonly last: number;
}

type Aligned = Extract<GroupShape, { readonly kind: 'aligned' }>;
type AlignedSpec = Extract<WindowSpec, { readonly kind: 'tumbling' | 'hopping' }>;

/** The tile of a sliding group that holds a row. */
export function slidingTile(everyUs: number, eventTimeUs: number): number {
  return Math.ceil(eventTimeUs / everyUs) - 1;
}

/** The windows of an aligned group that hold a row. */
export function alignedTiles(shape: Aligned, eventTimeUs: number): TileRange {
  const last = Math.floor((eventTimeUs - shape.offsetUs) / shape.everyUs);
  const before = Math.floor((eventTimeUs - shape.offsetUs - shape.sizeUs) / shape.everyUs);
  return { first: before + 1, last };
}

export function alignedStartUs(shape: Aligned, tile: number): number {
  return tile * shape.everyUs + shape.offsetUs;
}

/**
 * Whether a row that met stream time `eventTimeUs + lateByUs` still counts in an aligned window: the
 * window is closed once its end is at or behind stream time - grace.
 */
export function isOpen(
  endUs: number,
  eventTimeUs: number,
  lateByUs: number,
  graceUs: number,
): boolean {
  return lateByUs <= graceUs || endUs > eventTimeUs + lateByUs - graceUs;
}

/** Whether a row counts where there are no windows to close: when it is not late. */
export function isInTime(lateByUs: number, graceUs: number): boolean {
  return lateByUs <= graceUs;
}

/** The tiles that a stepped sliding window reads at q: its tail moves by `everyUs`. */
export function steppedRange(window: SlidingWindow, atUs: number): TileRange {
  return {
    first: Math.floor((atUs - window.sizeUs) / window.everyUs),
    last: slidingTile(window.everyUs, atUs),
  };
}

/** The tiles that an exact sliding window reads at q; rows of the first and last are filtered. */
export function exactRange(window: SlidingWindow, atUs: number): TileRange {
  return {
    first: slidingTile(window.everyUs, atUs - window.sizeUs + 1),
    last: slidingTile(window.everyUs, atUs),
  };
}

/** The window that an aligned aggregation reads at q: the newest that has ended, or the open one. */
export function alignedTileAt(window: AlignedSpec, atUs: number): number {
  const { sizeUs, everyUs, offsetUs, current } = window;
  return Math.floor((atUs - offsetUs - (current ? 0 : sizeUs)) / everyUs);
}

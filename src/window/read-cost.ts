import type { WindowSpec } from '../definition/index.ts';
import { tilesRead } from './read-windows.ts';
import { blockOf } from './tile-block.ts';
import type { WindowPlan } from './window-plan.ts';

/** What one online read of one entity costs for one window. */
export interface ReadCost {
  readonly window: WindowSpec;
  /** Width of a tile, microseconds; null for windows that are one value. */
  readonly tileUs: number | null;
  /** Tiles that are merged, at most. */
  readonly tiles: number;
  /** Values that are read from the store, at most. */
  readonly values: number;
  /** How far behind stream time tiles are kept, microseconds; null: for ever. */
  readonly retentionUs: number | null;
}

/** By window of the plan. */
export function readCosts(plan: WindowPlan): ReadCost[] {
  return plan.reads.map((read) => {
    const { shape, retentionUs } = read.group;
    const tileUs = 'everyUs' in shape ? shape.everyUs : null;
    if (tileUs === null) return { window: read.window, tileUs, tiles: 1, values: 1, retentionUs };
    const { first, last } = tilesRead(read, 0);
    // Where in its blocks a window begins changes with time: the most is one block more.
    const values = blockOf(last) - blockOf(first) + 1 + (last > first ? 1 : 0);
    return { window: read.window, tileUs, tiles: last - first + 1, values, retentionUs };
  });
}

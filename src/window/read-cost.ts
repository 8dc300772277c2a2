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
  /** Bytes of these values by what is stored, keys included, before compression; null: nothing is. */
  readonly bytes: number | null;
  /** How far behind stream time tiles are kept, microseconds; null: for ever. */
  readonly retentionUs: number | null;
}

/** By window of the plan. `valueBytes`: by group, what a stored value has on average. */
export function readCosts(
  plan: WindowPlan,
  valueBytes: ReadonlyMap<number, number> = new Map(),
): ReadCost[] {
  return plan.reads.map(({ window, ...read }) => {
    const { shape, retentionUs, index } = read.group;
    const bytesOf = (values: number): number | null => {
      const each = valueBytes.get(index);
      return each === undefined ? null : Math.round(values * each);
    };
    const tileUs = 'everyUs' in shape ? shape.everyUs : null;
    if (tileUs === null) {
      return { window, tileUs, tiles: 1, values: 1, bytes: bytesOf(1), retentionUs };
    }
    const { first, last } = tilesRead({ window, ...read }, 0);
    // Where in its blocks a window begins changes with time: the most is one block more.
    const values = blockOf(last) - blockOf(first) + 1 + (last > first ? 1 : 0);
    const bytes = bytesOf(values);
    return { window, tileUs, tiles: last - first + 1, values, bytes, retentionUs };
  });
}

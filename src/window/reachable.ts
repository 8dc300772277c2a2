import { alignedStartUs, slidingTile } from './in-window.ts';
import type { WindowGroup } from './window-plan.ts';

/**
 * The first tile of a group that a read at or after stream time - grace can still touch; null when
 * every tile can be touched for ever.
 */
export function firstReachableTile(group: WindowGroup, streamTimeUs: number): number | null {
  const { shape, retentionUs } = group;
  if (retentionUs === null) return null;
  const oldestUs = streamTimeUs - retentionUs;
  if (shape.kind === 'sliding') return slidingTile(shape.everyUs, oldestUs);
  if (shape.kind !== 'aligned') return null;
  const tile = Math.floor((oldestUs - shape.offsetUs) / shape.everyUs);
  // A window that begins before the oldest time may reach behind it.
  return alignedStartUs(shape, tile) + shape.sizeUs > oldestUs
    ? tile - Math.ceil(shape.sizeUs / shape.everyUs)
    : tile;
}

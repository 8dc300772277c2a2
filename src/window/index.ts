export type { RowsInOrder } from './aggregator.ts';
export {
  applyRow,
  type ChangingWindows,
  type EntityWindows,
  type Head,
  touchedTiles,
} from './entity-windows.ts';
export type { TileRange } from './in-window.ts';
export { MemoryWindows } from './memory-windows.ts';
export { firstReachableTile } from './reachable.ts';
export { type ReadCost, readCosts } from './read-cost.ts';
export { readWindows, tilesRead, type WindowValues } from './read-windows.ts';
export {
  decodeSessions,
  encodeSessions,
  finalAfterUs,
  forgetSessions,
  joinSession,
  type Session,
  type Sessions,
} from './sessions.ts';
export { StreamClock } from './stream-clock.ts';
export { createTile, mergeTile, type Tile } from './tile.ts';
export {
  BLOCK_TILES,
  blockOf,
  decodeBlock,
  decodeHead,
  encodeBlock,
  encodeHead,
  placeOf,
  type TileBlock,
} from './tile-block.ts';
export { planWindows, type WindowGroup, type WindowPlan, type WindowRead } from './window-plan.ts';
export { type WindowRowReader, type WindowRows, windowRowReader } from './window-rows.ts';

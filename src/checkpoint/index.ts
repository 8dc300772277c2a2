export { type Gap, listGaps, putGap } from './gaps.ts';
export { type OutboxRecord, SEQUENCE_HEADER } from './outbox.ts';
export { type BatchUpdate, PartitionCheckpoint, readPositions } from './partition-checkpoint.ts';
export {
  type Counters,
  encodePositions,
  type Positions,
  resumeOffset,
  startPositions,
} from './positions.ts';
export { rebuildStore } from './rebuild.ts';
export { recoverSegments } from './recover.ts';
export { reclaimSegments, swapSegments } from './swap-segments.ts';

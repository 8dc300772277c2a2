export { eraseFromOutbox } from './erase-from-outbox.ts';
export { type Gap, listGaps, putGap } from './gaps.ts';
export { type OutboxRecord, SEQUENCE_HEADER } from './outbox.ts';
export {
  type BatchUpdate,
  type CheckpointStores,
  PartitionCheckpoint,
  readPositions,
} from './partition-checkpoint.ts';
export {
  type Counters,
  encodePositions,
  type Positions,
  resumeOffset,
  startPositions,
} from './positions.ts';
export { rebuildStore } from './rebuild.ts';
export { reclaimSegments } from './reclaim-segments.ts';
export { recoverSegments } from './recover.ts';

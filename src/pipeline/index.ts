export { DEAD_LETTER_HEADERS, DEAD_LETTER_PARTITION } from './dead-letter.ts';
export { firstOffset } from './lost-records.ts';
export { Materializer, type MaterializerOptions, type PartitionStatus } from './materializer.ts';
export { type CutPolicy, PartitionTask, type ViewWriter } from './partition-task.ts';
export { type PartitionReplay, planReplay, type ReplayFrom, rewind } from './replay.ts';

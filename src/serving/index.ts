export type { DegradedSource } from './degraded-source.ts';
export type { EntityRow } from './entity-columns.ts';
export {
  type AnswerColumn,
  type FeatureColumn,
  type FeatureStatus,
  type OnlineColumns,
  OnlineFeatures,
  type Receipt,
} from './online-features.ts';
export {
  createOnlineServing,
  type OnlineRequest,
  type OnlineServing,
  type OnlineServingOptions,
  type PartitionPosition,
  type UntypedOnlineRequest,
} from './online-serving.ts';

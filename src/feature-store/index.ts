export type { BackfillOptions, BackfillSummary } from './backfill.ts';
export type { BuildProgress } from './build-views.ts';
export type { CompactionProgress, CompactionResult, CompactOptions } from './compact-history.ts';
export type { DeadLetter, DeadLetterFilter } from './dead-letters.ts';
export type { EntityHistory, EntityHistoryOptions } from './entity-history.ts';
export type { EraseResult } from './erase.ts';
export {
  FeatureStore,
  type FeatureStoreOptions,
  openFeatureStore,
  type ViewCost,
} from './feature-store.ts';
export type { Handover } from './handover.ts';
export type { History } from './history.ts';
export type { MaterializeRange, MaterializeUntil } from './materialization.ts';
export type { ReplayOptions, ReplayProgress, ReplayResult } from './replay.ts';
export type { RetentionResult } from './retain-history.ts';
export type { DatasetReceipt, DatasetVerification, SavedDatasets } from './saved-datasets.ts';
export type { EngineOptions } from './start-engine.ts';
export type { SourceStatus } from './status.ts';
export type { Difference, VerifyOptions, VerifyResult, ViewVerification } from './verify.ts';

/** Everything a program may import from `freshet`. */
export type {
  BackfillProgress,
  BackfillResult,
  MaterializationInterval,
} from './backfill/index.ts';
export type { Config, ConfigOverrides } from './config/index.ts';
export { type Clock, ManualClock, systemClock } from './core/clock.ts';
export type { FieldType, FieldValue, JsonValue, Schema } from './core/field-type.ts';
export {
  type AggregationFunction,
  type AggregationSpec,
  all,
  any,
  approxDistinctCount,
  type Catalog,
  count,
  type Definition,
  decayedCount,
  decayedSum,
  distinctCount,
  type Entity,
  type EntityKeyOf,
  type EntityRowOf,
  entity,
  type FeatureRef,
  type FeatureService,
  type FeatureVectorOf,
  type FeatureView,
  featureService,
  featureView,
  first,
  firstN,
  histogram,
  hopping,
  kurtosis,
  last,
  lastN,
  lastRows,
  lifetime,
  max,
  mean,
  min,
  type OnDemandFeatureView,
  onDemandFeatureView,
  type ParquetSource,
  parquetSource,
  percentile,
  type RequestSource,
  requestSource,
  session,
  skew,
  sliding,
  stddevPopulation,
  stddevSample,
  sum,
  type TopicSource,
  timeSinceLast,
  topicSource,
  topN,
  tumbling,
  type ViewProjection,
  variancePopulation,
  varianceSample,
  type WindowSpec,
  windowedFeatureView,
} from './definition/index.ts';
export { type ErrorCode, FreshetError } from './errors.ts';
export {
  type EngineOptions,
  type EntityHistory,
  type EntityHistoryOptions,
  FeatureStore,
  type FeatureStoreOptions,
  type MaterializeRange,
  type MaterializeUntil,
  openFeatureStore,
  type SourceStatus,
} from './feature-store/index.ts';
export type {
  HistoricalFeatures,
  HistoricalRequest,
  NamedHistoricalRequest,
} from './join/index.ts';
export type { Materializer, PartitionStatus } from './pipeline/index.ts';
export type { FeatureProducer, SendResult } from './producer/index.ts';
export type { Change } from './registry/index.ts';
export type {
  DegradedSource,
  FeatureStatus,
  OnlineFeatures,
  OnlineRequest,
  Receipt,
} from './serving/index.ts';
export { startTracing, type Tracing, type TracingOptions } from './tracing/index.ts';

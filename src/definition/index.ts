export {
  type AggregationFunction,
  type AggregationInput,
  type AggregationSpec,
  all,
  any,
  approxDistinctCount,
  count,
  type DerivedColumn,
  decayedCount,
  decayedSum,
  distinctCount,
  type Emission,
  type FeaturesOfAggregations,
  first,
  firstN,
  histogram,
  kurtosis,
  last,
  lastN,
  max,
  mean,
  min,
  percentile,
  type SourceRow,
  skew,
  stddevPopulation,
  stddevSample,
  sum,
  timeSinceLast,
  topN,
  variancePopulation,
  varianceSample,
  type Windowing,
} from './aggregation-spec.ts';
export {
  buildCatalog,
  type Catalog,
  type Definition,
  featuresOf,
  projectionsOf,
  viewOf,
} from './catalog.ts';
export {
  type DefinitionRecord,
  definitionRecord,
  stateFingerprint,
  viewFingerprint,
} from './definition-record.ts';
export { type Entity, entity, type KeySchema, type Metadata, type Tags } from './entity.ts';
export { type FeatureRef, type FeatureService, featureService } from './feature-service.ts';
export { type FeatureView, type FeatureViewSpec, featureView } from './feature-view.ts';
export { fieldsRead } from './fields-read.ts';
export type {
  EntityKeyOf,
  EntityRowOf,
  FeatureNameOf,
  FeatureVectorOf,
  Readable,
  UntypedEntityRow,
  UntypedFeatureVector,
} from './inference.ts';
export {
  type OnDemandFeatureView,
  type OnDemandProjection,
  onDemandFeatureView,
  type Transform,
} from './on-demand-feature-view.ts';
export { makeProjection, type ViewProjection } from './projection.ts';
export {
  type ParquetSource,
  type ParquetSourceSpec,
  parquetSource,
  type RequestSource,
  type RowFormat,
  requestSource,
  type Source,
  type TopicSource,
  type TopicSourceSpec,
  topicSource,
} from './source.ts';
export {
  hopping,
  lastRows,
  lifetime,
  type SlidingWindow,
  session,
  sliding,
  tumbling,
  type WindowSpec,
} from './window-spec.ts';
export {
  type WindowedFeatureViewSpec,
  windowedFeatureView,
} from './windowed-feature-view.ts';

export {
  type FeaturePlan,
  type FeatureRequest,
  type PlannedJoinKey,
  type PlannedOutput,
  type PlannedRead,
  type PlannedRequestField,
  type PlannedTransform,
  planFeatures,
  type TransformInputColumn,
} from './feature-plan.ts';
export {
  createTransformRunner,
  type TransformColumns,
  type TransformResults,
  type TransformRunner,
} from './run-transforms.ts';

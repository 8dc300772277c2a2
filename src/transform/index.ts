export {
  type FeaturePlan,
  type PlannedJoinKey,
  type PlannedOutput,
  type PlannedRead,
  type PlannedRequestField,
  type PlannedTransform,
  planFeatures,
  type TransformInputColumn,
} from './feature-plan.ts';
export type { FeatureRequest } from './resolve-request.ts';
export {
  createTransformRunner,
  type TransformColumns,
  type TransformResults,
  type TransformRunner,
} from './run-transforms.ts';

import type { FieldType, InputOf, Schema, ValueOf } from '../core/field-type.ts';
import { type KeySchema, type Metadata, metadata, type Tags } from './entity.ts';
import type { FeatureView } from './feature-view.ts';
import { requireName } from './name.ts';
import { makeProjection, type ViewProjection } from './projection.ts';
import type { AsKeySchema, AsSchema, Merge, ReadTypes, ReadTypesOf } from './read-types.ts';
import { requirePure } from './require-pure.ts';
import { type RequestSource, requireSchema } from './source.ts';

/** Features computed from other views' features and request data, at online reads and in joins alike. */
export interface OnDemandFeatureView<
  N extends string = string,
  J extends KeySchema = KeySchema,
  F extends Schema = Schema,
  R extends Schema = Schema,
> {
  readonly kind: 'onDemandFeatureView';
  readonly name: N;
  readonly projections: readonly ViewProjection[];
  readonly requestSources: readonly RequestSource[];
  readonly schema: F;
  readonly transform: Transform;
  readonly description: string;
  readonly tags: Tags;
  readonly owner: string;
  /** Carries the types; absent when the code runs. */
  readonly types?: ReadTypes<N, J, F, R>;
  /** Only these outputs. */
  select<K extends keyof F & string>(
    ...features: readonly K[]
  ): OnDemandProjection<N, J, Pick<F, K>, R>;
}

/** Some outputs of an on-demand feature view. */
export interface OnDemandProjection<
  N extends string = string,
  J extends KeySchema = KeySchema,
  F extends Schema = Schema,
  R extends Schema = Schema,
> {
  readonly kind: 'onDemandProjection';
  readonly view: OnDemandFeatureView<N>;
  readonly features: readonly string[];
  readonly types?: ReadTypes<N, J, F, R>;
}

/** One row in, one row out; inputs are named by feature and by `alias__feature`. */
export type Transform = (row: Readonly<Record<string, unknown>>) => Record<string, unknown>;

type AnySource = FeatureView | ViewProjection | RequestSource;

type FeaturesIn<S extends readonly AnySource[]> = Merge<ReadTypesOf<S[number]>['features']>;
type JoinKeysIn<S extends readonly AnySource[]> = AsKeySchema<
  Merge<ReadTypesOf<S[number]>['joinKeys']>
>;
type RequestIn<S extends readonly AnySource[]> = AsSchema<Merge<ReadTypesOf<S[number]>['request']>>;

type FieldOf<T> = T extends FieldType ? ValueOf<T> : never;

/** What a transform is handed: features may be null, request data may not. */
export type TransformInput<S extends readonly AnySource[]> = {
  readonly [K in keyof FeaturesIn<S>]: FieldOf<FeaturesIn<S>[K]> | null;
} & {
  readonly [K in keyof RequestIn<S>]: FieldOf<RequestIn<S>[K]>;
};

/** What a transform must return: every output, null allowed. */
export type TransformOutput<F extends Schema> = { readonly [K in keyof F]: InputOf<F[K]> | null };

/**
 * @example
 * onDemandFeatureView({
 *   name: 'route_risk', sources: [airportStats, requestSource({ name: 'trip', schema: { hour: 'int32' } })],
 *   schema: { risky: 'bool' },
 *   transform: (row) => ({ risky: (row.delay ?? 0) > 30 && row.hour > 18 }),
 * })
 * @throws FreshetError DEFINITION_INVALID
 */
export function onDemandFeatureView<
  const N extends string,
  const S extends readonly AnySource[],
  const F extends Schema,
>(
  spec: {
    readonly name: N;
    readonly sources: S;
    readonly schema: F;
    readonly transform: (row: TransformInput<S>) => TransformOutput<F>;
  } & Metadata,
): OnDemandFeatureView<N, JoinKeysIn<S>, F, RequestIn<S>> {
  requireName('on-demand feature view', spec.name);
  requireSchema(spec.name, spec.schema);
  requirePure(spec.name, 'its transform', spec.transform);
  const projections: ViewProjection[] = [];
  const requestSources: RequestSource[] = [];
  for (const source of spec.sources) {
    if (source.kind === 'requestSource') requestSources.push(source);
    else projections.push(source.kind === 'projection' ? source : makeProjection(source));
  }
  const view: OnDemandFeatureView<N> = Object.freeze({
    kind: 'onDemandFeatureView',
    name: spec.name,
    projections: Object.freeze(projections),
    requestSources: Object.freeze(requestSources),
    schema: spec.schema,
    transform: spec.transform as unknown as Transform,
    ...metadata(spec),
    select: (...features) => Object.freeze({ kind: 'onDemandProjection', view, features }) as never,
  } satisfies OnDemandFeatureView<N>);
  return view as never;
}

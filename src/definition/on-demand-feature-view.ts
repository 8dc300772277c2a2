import type { FieldType, InputOf, Schema, ValueOf } from '../core/field-type.ts';
import { type KeySchema, type Metadata, metadata, type Tags } from './entity.ts';
import type { FeatureView } from './feature-view.ts';
import { requireName } from './name.ts';
import { makeProjection, type ViewProjection } from './projection.ts';
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
  readonly types?: { readonly joinKeys: J; readonly features: F; readonly request: R };
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
  readonly types?: { readonly joinKeys: J; readonly features: F; readonly request: R };
}

/** One row in, one row out; inputs are named by feature and by `alias__feature`. */
export type Transform = (row: Readonly<Record<string, unknown>>) => Record<string, unknown>;

type AnySource = FeatureView | ViewProjection | RequestSource;

type Union<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

type FeaturesIn<S> = S extends ViewProjection<string, KeySchema, infer F>
  ? F
  : S extends FeatureView<string, KeySchema, infer F>
    ? F
    : never;

type JoinKeysIn<S> = S extends ViewProjection<string, infer J, Schema>
  ? J
  : S extends FeatureView<string, infer J, Schema>
    ? J
    : never;

type RequestIn<S> = S extends RequestSource<infer R> ? R : never;

type AsSchema<T> = T extends Schema ? T : Record<never, never>;
type AsKeys<T> = T extends KeySchema ? T : Record<never, never>;

type FieldOf<T> = T extends FieldType ? ValueOf<T> : never;

/** What a transform is handed: features may be null, request data may not. */
export type TransformInput<S extends readonly AnySource[]> = {
  readonly [K in keyof Union<FeaturesIn<S[number]>>]: FieldOf<
    Union<FeaturesIn<S[number]>>[K]
  > | null;
} & {
  readonly [K in keyof Union<RequestIn<S[number]>>]: FieldOf<Union<RequestIn<S[number]>>[K]>;
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
): OnDemandFeatureView<
  N,
  AsKeys<Union<JoinKeysIn<S[number]>>>,
  F,
  AsSchema<Union<RequestIn<S[number]>>>
> {
  requireName('on-demand feature view', spec.name);
  requireSchema(spec.name, spec.schema);
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

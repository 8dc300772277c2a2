import type { Schema } from '../core/field-type.ts';
import { type Duration, parseDurationUs } from '../core/time.ts';
import { FreshetError } from '../errors.ts';
import type { Windowing } from './aggregation-spec.ts';
import { type Entity, type KeySchema, type Metadata, metadata, type Tags } from './entity.ts';
import { requireName } from './name.ts';
import {
  type JoinKeyMap,
  makeProjection,
  type RemapKeys,
  type ViewProjection,
} from './projection.ts';
import type { AsKeySchema, Merge, NoFields, ReadTypes } from './read-types.ts';
import { type ParquetSource, requireSchema, type TopicSource } from './source.ts';

/**
 * Features of one entity whose rows pass through as they come: the online value is the newest row.
 * `N` is the name, `J` the join keys and `F` the features, so that reads are typed.
 */
export interface FeatureView<
  N extends string = string,
  J extends KeySchema = KeySchema,
  F extends Schema = Schema,
> {
  readonly kind: 'featureView';
  readonly name: N;
  readonly entities: readonly Entity[];
  /** The join keys of all entities; empty for one global row. */
  readonly joinKeys: J;
  readonly schema: F;
  readonly streamSource: TopicSource | null;
  readonly batchSource: ParquetSource | null;
  /** Age at which a value stops being served; null: never. */
  readonly ttlUs: number | null;
  /** How far behind stream time a row may be before it is late. */
  readonly graceUs: number;
  readonly online: boolean;
  readonly offline: boolean;
  readonly enabled: boolean;
  /** What makes the view windowed; null where the newest row is the value. */
  readonly windowing: Windowing | null;
  readonly description: string;
  readonly tags: Tags;
  readonly owner: string;
  /** Only these features. */
  select<K extends keyof F & string>(...features: readonly K[]): ViewProjection<N, J, Pick<F, K>>;
  /** The same view under another name: `name__feature` and the name in errors. */
  withName<A extends string>(alias: A): ViewProjection<A, J, F>;
  /** Join on other columns of the entity rows: `{ origin: 'origin_id' }`. */
  withJoinKeyMap<const M extends JoinKeyMap<J>>(
    map: M & JoinKeyMap<J, M>,
  ): ViewProjection<N, RemapKeys<J, M>, F>;
  /** Carries the types; absent when the code runs. */
  readonly types?: ReadTypes<N, J, F, NoFields>;
}

/** All join keys of a list of entities. */
export type JoinKeysOf<E extends readonly Entity[]> = AsKeySchema<Merge<E[number]['joinKeys']>>;

export interface FeatureViewSpec<N extends string, E extends readonly Entity[], F extends Schema>
  extends Metadata {
  readonly name: N;
  /** Default: none, one global row. */
  readonly entities?: E;
  /** The stream, or the batch history where there is no stream. */
  readonly source: TopicSource | ParquetSource;
  /** Batch history of the same rows, beside a stream. */
  readonly batchSource?: ParquetSource;
  readonly schema: F;
  /** Default: never. */
  readonly ttl?: Duration | null;
  /** Default 0s. */
  readonly grace?: Duration;
  /** Whether the newest row is served. Default true. */
  readonly online?: boolean;
  /** Whether rows can be joined for training. Default true. */
  readonly offline?: boolean;
  /** A disabled view is neither fed nor served. Default true. */
  readonly enabled?: boolean;
}

/**
 * @example
 * featureView({
 *   name: 'airport_stats', entities: [airport], source: flights,
 *   schema: { delay: 'int32', distance: 'int32' }, ttl: '7d',
 * })
 * @throws FreshetError DEFINITION_INVALID
 */
export function featureView<
  const N extends string,
  const E extends readonly Entity[] = readonly [],
  const F extends Schema = Schema,
>(spec: FeatureViewSpec<N, E, F>): FeatureView<N, JoinKeysOf<E>, F> {
  return makeView(spec, spec.schema, null);
}

/** What row views and windowed views have in common; `schema` is what the view gives. */
export function makeView<N extends string, E extends readonly Entity[], F extends Schema>(
  spec: Omit<FeatureViewSpec<N, E, Schema>, 'schema'>,
  schema: F,
  windowing: Windowing | null,
): FeatureView<N, JoinKeysOf<E>, F> {
  type J = JoinKeysOf<E>;
  requireName('feature view', spec.name);
  requireSchema(spec.name, schema);
  const entities = spec.entities ?? [];
  const joinKeys = mergeJoinKeys(spec.name, entities) as J;
  const streamSource = spec.source.kind === 'topicSource' ? spec.source : null;
  const batchSource =
    spec.source.kind === 'parquetSource' ? spec.source : (spec.batchSource ?? null);
  for (const source of [streamSource, batchSource]) {
    if (source === null) continue;
    requireFields(spec.name, source, joinKeys, windowing === null ? schema : {});
  }
  const view: FeatureView<N, J, F> = Object.freeze({
    kind: 'featureView',
    name: spec.name,
    entities: Object.freeze([...entities]),
    joinKeys,
    schema,
    streamSource,
    batchSource,
    ttlUs: spec.ttl ? parseDurationUs(spec.ttl) || null : null,
    graceUs: spec.grace ? parseDurationUs(spec.grace) : 0,
    online: spec.online ?? true,
    offline: spec.offline ?? true,
    enabled: spec.enabled ?? true,
    windowing,
    ...metadata(spec),
    select: (...features) => makeProjection(view).select(...features),
    withName: (alias) => makeProjection(view).withName(alias),
    withJoinKeyMap: (map) => makeProjection(view).withJoinKeyMap(map),
  } satisfies FeatureView<N, J, F>);
  return view;
}

function mergeJoinKeys(view: string, entities: readonly Entity[]): KeySchema {
  const merged: Record<string, KeySchema[string]> = {};
  const owner = new Map<string, string>();
  for (const entity of entities) {
    for (const [key, type] of Object.entries(entity.joinKeys)) {
      if (owner.has(key)) {
        throw new FreshetError(
          'INVALID_ARGUMENT',
          `entities "${owner.get(key)}" and "${entity.name}" of view "${view}" share the join key "${key}"`,
          { where: { view }, next: 'Keep one of the two entities, or rename one join key.' },
        );
      }
      owner.set(key, entity.name);
      merged[key] = type;
    }
  }
  return Object.freeze(merged);
}

function requireFields(
  view: string,
  source: TopicSource | ParquetSource,
  joinKeys: KeySchema,
  features: Schema,
): void {
  for (const [field, type] of [...Object.entries(joinKeys), ...Object.entries(features)]) {
    const found = source.schema[field];
    if (found === type) continue;
    const what =
      found === undefined
        ? `field "${field}" is not in source "${source.name}"`
        : `field "${field}" is ${type}, but ${found} in source "${source.name}"`;
    throw new FreshetError('DEFINITION_INVALID', `view "${view}": ${what}`, {
      where: { view, source: source.name },
    });
  }
}

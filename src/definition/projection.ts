import type { Schema } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import type { KeySchema } from './entity.ts';
import type { FeatureView } from './feature-view.ts';
import { requireName } from './name.ts';
import type { NoFields, ReadTypes } from './read-types.ts';

/** How one request or service uses a view: which features, under which name, joined on what. */
export interface ViewProjection<
  A extends string = string,
  J extends KeySchema = KeySchema,
  F extends Schema = Schema,
> {
  readonly kind: 'projection';
  readonly view: FeatureView;
  /** The view's name unless `withName` gave another. */
  readonly alias: A;
  readonly features: readonly string[];
  /** Column of the entity rows by join key, where they differ. */
  readonly joinKeyMap: Readonly<Record<string, string>>;
  /** Carries the types; absent when the code runs. */
  readonly types?: ReadTypes<A, J, F, NoFields>;
  select<K extends keyof F & string>(...features: readonly K[]): ViewProjection<A, J, Pick<F, K>>;
  withName<B extends string>(alias: B): ViewProjection<B, J, F>;
  withJoinKeyMap<const M extends JoinKeyMap<J>>(
    map: M & JoinKeyMap<J, M>,
  ): ViewProjection<A, RemapKeys<J, M>, F>;
}

/**
 * New names by join key. With a map `M` it also says that keys of `M` that are no join keys are
 * errors, which inference alone would let through beside a right one.
 */
export type JoinKeyMap<J extends KeySchema, M = J> = {
  readonly [K in keyof J]?: string;
} & { readonly [K in Exclude<keyof M, keyof J>]: never };

/** Join keys after a join key map: mapped keys under their new name, the others as they were. */
export type RemapKeys<J extends KeySchema, M> = {
  readonly [K in keyof J as K extends keyof M ? (M[K] extends string ? M[K] : K) : K]: J[K];
};

/** The whole view under its own name. */
export function makeProjection<N extends string, J extends KeySchema, F extends Schema>(
  view: FeatureView<N, J, F>,
): ViewProjection<N, J, F> {
  return project(view as unknown as FeatureView, view.name, Object.keys(view.schema), {}) as never;
}

function project(
  view: FeatureView,
  alias: string,
  features: readonly string[],
  joinKeyMap: Readonly<Record<string, string>>,
): ViewProjection {
  const projection: ViewProjection = {
    kind: 'projection',
    view,
    alias,
    features: Object.freeze([...features]),
    joinKeyMap: Object.freeze({ ...joinKeyMap }),
    select: (...names) => {
      for (const name of names) requireMember(view, 'feature', name, features);
      return project(view, alias, names, joinKeyMap) as never;
    },
    withName: (other) => {
      requireName('feature view', other);
      return project(view, other, features, joinKeyMap) as never;
    },
    withJoinKeyMap: (map) => {
      const keys = Object.keys(view.joinKeys);
      for (const key of Object.keys(map)) requireMember(view, 'join key', key, keys);
      return project(view, alias, features, map as Record<string, string>) as never;
    },
  };
  return Object.freeze(projection);
}

function requireMember(
  view: FeatureView,
  kind: 'feature' | 'join key',
  name: string,
  known: readonly string[],
): void {
  if (known.includes(name)) return;
  throw new FreshetError(
    kind === 'feature' ? 'FEATURE_NOT_FOUND' : 'JOIN_KEY_UNKNOWN',
    `view "${view.name}" has no ${kind} "${name}"; it has ${known.join(', ') || 'none'}`,
    { where: { view: view.name } },
  );
}

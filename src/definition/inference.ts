import type { FieldType, FieldValue, InputOf, Schema, ValueOf } from '../core/field-type.ts';
import type { FeatureRef, FeatureService } from './feature-service.ts';
import type { Merge, ReadTypesOf } from './read-types.ts';

/** What can be asked for with types: a list of views, projections and on-demand views, or a service. */
export type Readable = readonly FeatureRef[] | FeatureService;

/**
 * What every entity row must hold for these features: all join keys, under their names after join
 * key maps, and the request data of on-demand views.
 *
 * @example EntityRowOf<[typeof airportStats]> is { readonly airport: string }
 */
export type EntityRowOf<R extends Readable> = Flat<
  InputsOf<Merge<TypesIn<R>['joinKeys']>> & InputsOf<Merge<TypesIn<R>['request']>>
>;

/**
 * The values these features give: null stands for a missing one. Names are those of the features,
 * or `alias__feature` where full feature names are asked for.
 *
 * @example FeatureVectorOf<[typeof airportStats], true> is { readonly airport_stats__delay: number | null }
 */
export type FeatureVectorOf<R extends Readable, FullNames extends boolean = false> = Flat<
  Merge<VectorOf<TypesIn<R>, FullNames>>
>;

/**
 * The join key values that come back beside the features.
 *
 * @example EntityKeyOf<[typeof airportStats]> is { readonly airport: string }
 */
export type EntityKeyOf<R extends Readable> = Flat<ValuesOf<Merge<TypesIn<R>['joinKeys']>>>;

/** The names of `FeatureVectorOf`. */
export type FeatureNameOf<R extends Readable, FullNames extends boolean = false> = string &
  keyof FeatureVectorOf<R, FullNames>;

/** Entity rows and feature vectors when only names known at run time are asked for. */
export type UntypedEntityRow = Readonly<Record<string, FieldValue | Date>>;
export type UntypedFeatureVector = Readonly<Record<string, FieldValue>>;

type TypesIn<R extends Readable> =
  R extends FeatureService<infer Refs>
    ? ReadTypesOf<Refs[number]>
    : R extends readonly FeatureRef[]
      ? ReadTypesOf<R[number]>
      : never;

/** Of a schema known only as a schema, every field may be anything a field accepts. */
type InputsOf<S> = string extends keyof S
  ? UntypedEntityRow
  : { readonly [K in keyof S]: S[K] extends FieldType ? InputOf<S[K]> : never };

type ValuesOf<S> = string extends keyof S
  ? UntypedFeatureVector
  : { readonly [K in keyof S]: S[K] extends FieldType ? ValueOf<S[K]> : never };

/** One vector for each member of a union of read types. */
type VectorOf<T, FullNames extends boolean> = T extends {
  readonly alias: infer A extends string;
  readonly features: infer F extends Schema;
}
  ? string extends keyof F
    ? UntypedFeatureVector
    : {
        readonly [K in keyof F & string as FullNames extends true ? `${A}__${K}` : K]: ValueOf<
          F[K]
        > | null;
      }
  : never;

type Flat<T> = { readonly [K in keyof T]: T[K] };

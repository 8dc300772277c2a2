import type { Schema } from '../core/field-type.ts';
import type { KeySchema } from './entity.ts';

/**
 * What a read of a definition needs and gives, carried in types alone: every definition that can be
 * read has an optional property `types` of this shape, which is absent when the code runs.
 */
export interface ReadTypes<
  A extends string = string,
  J extends KeySchema = KeySchema,
  F extends Schema = Schema,
  R extends Schema = Schema,
> {
  /** Name in full feature names: `alias__feature`. */
  readonly alias: A;
  /** Join keys, after join key maps. */
  readonly joinKeys: J;
  readonly features: F;
  /** Request data that must come with each entity row. */
  readonly request: R;
}

/** The read types of a definition; of a union, the union of theirs. */
export type ReadTypesOf<D> = D extends { readonly types?: infer T } ? Exclude<T, undefined> : never;

/** All properties of all members of a union; `unknown` for no member. */
export type Merge<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void
  ? I
  : never;

/** No join keys, no features or no request data. */
export type NoFields = Readonly<Record<never, never>>;

export type AsKeySchema<T> = { readonly [K in keyof T]: T[K] } extends infer S extends KeySchema
  ? S
  : NoFields;

export type AsSchema<T> = { readonly [K in keyof T]: T[K] } extends infer S extends Schema
  ? S
  : NoFields;

/**
 * The types of features, join keys and source fields, and the JavaScript values that carry them.
 *
 * | type      | in TypeScript       | note                                                        |
 * | int32     | number              | whole, -2^31 … 2^31-1                                       |
 * | int64     | bigint              | accepted as number or bigint, lossless                      |
 * | float32   | number              | rounded to the nearest float32 when it is accepted          |
 * | float64   | number              |                                                             |
 * | string    | string              |                                                             |
 * | bool      | boolean             |                                                             |
 * | bytes     | Uint8Array          |                                                             |
 * | timestamp | number              | microseconds since 1970 UTC; accepted as Date and ISO too   |
 * | T[]       | array of the above  | elements are never null                                     |
 * | json      | JsonValue           | stored as canonical JSON text                               |
 */
export type FieldType = ScalarType | ArrayType | 'json';

export type ScalarType =
  | 'int32'
  | 'int64'
  | 'float32'
  | 'float64'
  | 'string'
  | 'bool'
  | 'bytes'
  | 'timestamp';

export type ArrayType = `${ScalarType}[]`;

/** Types a join key may have: those with one canonical byte form. */
export type KeyType = 'int32' | 'int64' | 'string' | 'bool' | 'bytes' | 'timestamp';

/** Field names and their types, in declaration order. */
export type Schema = Readonly<Record<string, FieldType>>;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The TypeScript value of a field type, as Freshet returns it. */
export type ValueOf<T extends FieldType> = T extends 'int64'
  ? bigint
  : T extends 'int32' | 'float32' | 'float64' | 'timestamp'
    ? number
    : T extends 'string'
      ? string
      : T extends 'bool'
        ? boolean
        : T extends 'bytes'
          ? Uint8Array
          : T extends 'json'
            ? JsonValue
            : T extends `${infer S extends ScalarType}[]`
              ? ValueOf<S>[]
              : never;

/** The TypeScript value of a field type, as Freshet accepts it. */
export type InputOf<T extends FieldType> = T extends 'int64'
  ? bigint | number
  : T extends 'timestamp'
    ? number | Date | string
    : T extends `${infer S extends ScalarType}[]`
      ? readonly InputOf<S>[]
      : ValueOf<T>;

/** Any value a field can hold; null stands for a missing one. */
export type FieldValue =
  | null
  | number
  | bigint
  | string
  | boolean
  | Uint8Array
  | JsonValue
  | readonly (number | bigint | string | boolean | Uint8Array)[];

const SCALAR_TYPES: ReadonlySet<string> = new Set<ScalarType>([
  'int32',
  'int64',
  'float32',
  'float64',
  'string',
  'bool',
  'bytes',
  'timestamp',
]);

const KEY_TYPES: ReadonlySet<string> = new Set<KeyType>([
  'int32',
  'int64',
  'string',
  'bool',
  'bytes',
  'timestamp',
]);

export function isFieldType(text: unknown): text is FieldType {
  if (typeof text !== 'string') return false;
  return text === 'json' || SCALAR_TYPES.has(text.endsWith('[]') ? text.slice(0, -2) : text);
}

export function isKeyType(text: unknown): text is KeyType {
  return typeof text === 'string' && KEY_TYPES.has(text);
}

/** The element type of an array type, or null for a type that is not an array. */
export function elementType(type: FieldType): ScalarType | null {
  return type.endsWith('[]') ? (type.slice(0, -2) as ScalarType) : null;
}

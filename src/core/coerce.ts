/**
 * From what people send to what Freshet keeps, and back to JSON: the one place that does either.
 *
 * | type      | accepted besides the value itself                | refused                          |
 * | int32     | bigint, text of digits                           | fractions, out of range          |
 * | int64     | safe whole number, text of digits                | unsafe numbers, out of range     |
 * | float32   | safe bigint, "NaN", "Infinity", "-Infinity"      | finite but beyond float32        |
 * | float64   | safe bigint, "NaN", "Infinity", "-Infinity"      | other text                       |
 * | string    | as a join key: safe whole numbers and bigints    | unpaired surrogates              |
 * | bool      |                                                  | 0, 1, "true"                     |
 * | bytes     | base64 text                                      | other text                       |
 * | timestamp | microseconds as bigint, Date, ISO 8601 text      | what microseconds cannot hold    |
 * | T[]       | typed arrays of numbers                          | null elements                    |
 * | json      | any JSON value; nested 100 deep at most          | NaN, bigint, functions, cycles   |
 *
 * `null` and `undefined` are a missing value everywhere, and come out as null.
 */
import { FreshetError } from '../errors.ts';
import { elementType, type FieldType, type FieldValue, type JsonValue } from './field-type.ts';
import { formatTimestampUs, type TimestampInput, toTimestampUs } from './time.ts';

/** One input to the value that is stored. @throws FreshetError VALUE_TYPE */
export type Coercer = (value: unknown) => FieldValue;

/** Levels of a json value: far beyond real data, far below what a call stack bears. */
const JSON_DEPTH_MAX = 100;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const DIGITS = /^-?\d{1,19}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The coercer of a type. Made once per field, called per value. */
export function coercerOf(type: FieldType): Coercer {
  return COERCERS.get(type) ?? refuseType(type);
}

/** The coercer of a join key: as `coercerOf`, and a string key may be sent as a whole number. */
export function keyCoercerOf(type: FieldType): Coercer {
  return type === 'string' ? orNull(toKeyText) : coercerOf(type);
}

/**
 * A stored value as JSON: int64 a number when safe, otherwise text; timestamps ISO 8601; bytes
 * base64; NaN and the infinities as text. `coercerOf` reads it back to the same value.
 */
export function toJsonValue(type: FieldType, value: FieldValue): JsonValue {
  if (value === null || type === 'json') return value as JsonValue;
  const element = elementType(type);
  if (element !== null) {
    return (value as readonly FieldValue[]).map((item) => toJsonValue(element, item));
  }
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Uint8Array) return bytesView(value).toString('base64');
  if (typeof value !== 'number') return value as JsonValue;
  if (type === 'timestamp') return formatTimestampUs(value);
  return Number.isFinite(value) ? value : String(value);
}

/**
 * JSON text with object keys in code unit order and no spaces: equal values have equal text.
 * @throws FreshetError VALUE_TYPE for what JSON cannot hold
 */
export function canonicalJson(value: unknown): string {
  return writeJson(value, 0);
}

const COERCERS: ReadonlyMap<string, Coercer> = makeCoercers();

function makeCoercers(): Map<string, Coercer> {
  const scalars: Record<string, (value: unknown) => NonNullable<FieldValue>> = {
    int32: toInt32,
    int64: toInt64,
    float32: toFloat32,
    float64: toFloat64,
    string: toText,
    bool: toBool,
    bytes: toBytes,
    timestamp: toTimestamp,
  };
  const coercers = new Map<string, Coercer>([['json', orNull(toJson)]]);
  for (const [type, coerce] of Object.entries(scalars)) {
    coercers.set(type, orNull(coerce));
    coercers.set(`${type}[]`, orNull(arrayOf(type, coerce)));
  }
  return coercers;
}

function refuseType(type: string): never {
  throw new FreshetError('DEFINITION_INVALID', `"${type}" is not a field type`);
}

function orNull(coerce: (value: unknown) => FieldValue): Coercer {
  return (value) => (value === null || value === undefined ? null : coerce(value));
}

function toInt32(value: unknown): number {
  const number = typeof value === 'number' ? value : Number(wholeOf(value, 'int32'));
  if (number !== (number | 0)) throw refused(value, 'an int32');
  return number | 0;
}

function toInt64(value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  const whole = wholeOf(value, 'int64');
  if (whole < INT64_MIN || whole > INT64_MAX) throw refused(value, 'an int64');
  return whole;
}

function wholeOf(value: unknown, type: string): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'string' && DIGITS.test(value)) return BigInt(value);
  throw refused(value, `an ${type}`);
}

function toFloat64(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  const number = typeof value === 'bigint' ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw refused(value, 'a float');
  return number;
}

function toFloat32(value: unknown): number {
  const number = toFloat64(value);
  const rounded = Math.fround(number);
  if (!Number.isFinite(rounded) && Number.isFinite(number)) throw refused(value, 'a float32');
  return rounded;
}

function toText(value: unknown): string {
  if (typeof value !== 'string') throw refused(value, 'a string');
  if (!isWellFormed(value)) throw refused(value, 'a string that UTF-8 can hold');
  return value;
}

/** Unpaired surrogates would not survive a store that keeps UTF-8. */
function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}

function toKeyText(value: unknown): string {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  return toText(value);
}

function toBool(value: unknown): boolean {
  if (typeof value !== 'boolean') throw refused(value, 'a bool');
  return value;
}

function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string' || !BASE64.test(value)) throw refused(value, 'bytes');
  return Buffer.from(value, 'base64');
}

function toTimestamp(value: unknown): number {
  const isInstant = typeof value !== 'object' || value instanceof Date;
  const us = isInstant ? toTimestampUs(value as TimestampInput | bigint) : Number.NaN;
  if (!Number.isSafeInteger(us)) throw refused(value, 'a timestamp of the years 1685 to 2254');
  return us + 0;
}

function arrayOf(type: string, coerce: (value: unknown) => NonNullable<FieldValue>): Coercer {
  return (value) => {
    if (!Array.isArray(value) && !isNumberArray(value)) throw refused(value, `${type}[]`);
    const items = new Array(value.length);
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (item === null || item === undefined) {
        throw refused(item, `${type}; elements of an array are never null`);
      }
      items[i] = coerce(item);
    }
    return items;
  };
}

function isNumberArray(value: unknown): value is Float64Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** A copy as storage gives it back, so that a value is the same before and after it was kept. */
function toJson(value: unknown): JsonValue {
  return JSON.parse(canonicalJson(value)) as JsonValue;
}

function writeJson(value: unknown, depth: number): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === 'string') return JSON.stringify(toText(value));
  if (typeof value !== 'object') throw refused(value, 'JSON');
  if (depth === JSON_DEPTH_MAX) throw refused(value, `JSON of ${JSON_DEPTH_MAX} levels at most`);
  if (Array.isArray(value)) {
    return `[${value.map((item) => writeJson(item, depth + 1)).join(',')}]`;
  }
  if (!isPlainObject(value)) throw refused(value, 'JSON');
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const item = value[key];
    if (item !== undefined)
      members.push(`${JSON.stringify(toText(key))}:${writeJson(item, depth + 1)}`);
  }
  return `{${members.join(',')}}`;
}

function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function bytesView(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function refused(value: unknown, wanted: string): FreshetError {
  return new FreshetError('VALUE_TYPE', `${describeValue(value)} is not ${wanted}`);
}

/** A short form of any value for messages. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

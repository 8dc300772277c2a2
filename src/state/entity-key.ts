/**
 * The bytes of an entity key: the join key values in the order of the join keys' names, so that the
 * order of a definition does not matter. Bytes order as the values do, and every value says where it
 * ends.
 *
 * ```
 * entity key := value*
 * int32, int64, timestamp := i64 big-endian, sign bit flipped
 * bool                    := u8, 0 or 1
 * string, bytes           := content with each 0x00 as 0x00 0xff, then 0x00 0x00
 * ```
 */
import { assert } from '../core/assert.ts';
import type { FieldValue, KeyType } from '../core/field-type.ts';
import type { Column, RowBatch, RowLayout } from '../core/row-batch.ts';
import type { KeySchema } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';

/** Entity keys of one set of join keys. Compiled once; used per row. */
export interface EntityKeyCodec {
  /** Join keys in the order of their values in the bytes. */
  readonly names: readonly string[];
  readonly types: readonly KeyType[];
  /** Bytes of values in the order of `names`; none may be null. */
  encode(values: readonly FieldValue[]): Uint8Array;
  /** The same without a copy: they are there until the next call of any codec. */
  view(values: readonly FieldValue[]): Uint8Array;
  /** Values in the order of `names`. @throws FreshetError STORE_CORRUPT */
  decode(bytes: Uint8Array): FieldValue[];
  /** The same for rows of one layout. @throws FreshetError COLUMN_MISSING */
  forRows(layout: RowLayout): RowKeyer;
}

/** Entity keys of the rows of a batch. */
export interface RowKeyer {
  /** Equal for equal entity keys, different for different ones; null when a join key is null. */
  mapKey(rows: RowBatch, i: number): MapKey | null;
  values(rows: RowBatch, i: number): FieldValue[];
}

export type MapKey = string | number | bigint;

export function entityKeyCodec(joinKeys: KeySchema): EntityKeyCodec {
  const names = Object.keys(joinKeys).sort();
  const types = names.map((name) => joinKeys[name] as KeyType);
  return {
    names,
    types,
    encode: (values) => Uint8Array.prototype.slice.call(viewOf(types, values)),
    view: (values) => viewOf(types, values),
    decode: (bytes) => decodeValues(types, bytes),
    forRows: (layout) => rowKeyer(names, layout),
  };
}

const SIGN_BIT = 1n << 63n;
let scratch = Buffer.allocUnsafe(512);

function viewOf(types: readonly KeyType[], values: readonly FieldValue[]): Uint8Array {
  let at = 0;
  for (let i = 0; i < types.length; i++) at = encodeValue(types[i] as KeyType, values[i], at);
  return scratch.subarray(0, at);
}

function encodeValue(type: KeyType, value: FieldValue | undefined, at: number): number {
  assert(value !== null && value !== undefined, 'a join key is null');
  switch (type) {
    case 'string':
      return encodeText(value as string, at);
    case 'bytes':
      return encodeBytes(value as Uint8Array, at);
    case 'bool':
      reserve(at, 1);
      scratch[at] = value === true ? 1 : 0;
      return at + 1;
    default:
      reserve(at, 8);
      return writeWhole(value as number | bigint, at);
  }
}

/** As i64 with its sign bit flipped; arithmetic of bigints is only for what needs it. */
function writeWhole(value: number | bigint, at: number): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    return scratch.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)) ^ SIGN_BIT, at);
  }
  const high = Math.floor(number / 2 ** 32);
  scratch.writeUInt32BE((high ^ 0x8000_0000) >>> 0, at);
  return scratch.writeUInt32BE(number - high * 2 ** 32, at + 4);
}

function encodeText(value: string, at: number): number {
  reserve(at, value.length * 3 + 2);
  const size = scratch.write(value, at, 'utf8');
  if (value.includes('\0'))
    return encodeBytes(Uint8Array.from(scratch.subarray(at, at + size)), at);
  scratch[at + size] = 0;
  scratch[at + size + 1] = 0;
  return at + size + 2;
}

function encodeBytes(value: Uint8Array, start: number): number {
  reserve(start, value.length * 2 + 2);
  let at = start;
  for (const byte of value) {
    scratch[at++] = byte;
    if (byte === 0) scratch[at++] = 0xff;
  }
  scratch[at++] = 0;
  scratch[at++] = 0;
  return at;
}

function reserve(at: number, size: number): void {
  if (at + size <= scratch.length) return;
  const grown = Buffer.allocUnsafe(Math.max(scratch.length * 2, at + size));
  scratch.copy(grown, 0, 0, at);
  scratch = grown;
}

function decodeValues(types: readonly KeyType[], key: Uint8Array): FieldValue[] {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const values: FieldValue[] = [];
  let at = 0;
  for (const type of types) {
    if (type === 'string' || type === 'bytes') {
      const { content, end } = readEscaped(bytes, at);
      values.push(type === 'string' ? content.toString('utf8') : Uint8Array.from(content));
      at = end;
    } else {
      const size = type === 'bool' ? 1 : 8;
      if (at + size > bytes.length) throw corrupt(key);
      values.push(readFixed(type, bytes, at));
      at += size;
    }
  }
  if (at !== bytes.length) throw corrupt(key);
  return values;
}

function readFixed(type: KeyType, bytes: Buffer, at: number): FieldValue {
  if (type === 'bool') return bytes[at] === 1;
  const value = BigInt.asIntN(64, bytes.readBigUInt64BE(at) ^ SIGN_BIT);
  return type === 'int64' ? value : Number(value);
}

function readEscaped(bytes: Buffer, start: number): { content: Buffer; end: number } {
  const content: number[] = [];
  for (let at = start; at + 1 < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 0 && bytes[at + 1] === 0) return { content: Buffer.from(content), end: at + 2 };
    content.push(byte);
    if (byte === 0) at++; // the 0xff behind it
  }
  throw corrupt(bytes);
}

function corrupt(key: Uint8Array): FreshetError {
  const hex = Buffer.from(key).toString('hex');
  return new FreshetError('STORE_CORRUPT', `the entity key ${hex} does not fit its join keys`);
}

function rowKeyer(names: readonly string[], layout: RowLayout): RowKeyer {
  const places = names.map((name) => {
    const place = layout.index.get(name);
    if (place === undefined) {
      throw new FreshetError('COLUMN_MISSING', `the rows have no join key column "${name}"`, {
        where: { column: name },
      });
    }
    return place;
  });
  const [only] = places;
  return {
    mapKey:
      only !== undefined && places.length === 1
        ? (rows, i) => mapKeyOf(rows.columns[only] as Column, i)
        : (rows, i) => compoundKey(rows, places, i),
    values: (rows, i) => places.map((place) => keyValue(rows.columns[place] as Column, i)),
  };
}

function keyValue(column: Column, i: number): FieldValue {
  const value = column.values[i] as FieldValue;
  return column.type === 'bool' ? value === 1 : value;
}

function mapKeyOf(column: Column, i: number): MapKey | null {
  if (column.valid[i] === 0) return null;
  const value = column.values[i];
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
    : (value as MapKey);
}

/** Texts with their lengths in front, so that no two lists of values give the same text. */
function compoundKey(rows: RowBatch, places: readonly number[], i: number): string | null {
  let key = '';
  for (const place of places) {
    const part = mapKeyOf(rows.columns[place] as Column, i);
    if (part === null) return null;
    const text = typeof part === 'string' ? part : String(part);
    key += `${text.length}:${text}`;
  }
  return key;
}

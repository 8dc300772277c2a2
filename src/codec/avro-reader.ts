/**
 * Schema evolution, compiled: for one writer's type and one field type of the source, a function
 * that reads the value. What each writer type may become:
 *
 * | writer                        | field type                                        |
 * | int                           | int32, int64, float32, float64                    |
 * | long                          | int64, float32, float64 (refused beyond 2^53)     |
 * | float                         | float32, float64                                  |
 * | double                        | float64                                           |
 * | string                        | string, bytes, json                               |
 * | bytes                         | bytes, string                                     |
 * | fixed                         | bytes                                             |
 * | enum                          | string                                            |
 * | boolean                       | bool                                              |
 * | decimal                       | float64, string                                   |
 * | timestamp-millis/micros/nanos | timestamp (nanoseconds are cut), int64            |
 * | date                          | timestamp, int32, int64                           |
 * | array                         | arrays of what its items may become               |
 * | union                         | what each of its types but null may become        |
 */
import { coercerOf } from '../core/coerce.ts';
import { elementType, type FieldType, type FieldValue } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import type { AvroCursor } from './avro-cursor.ts';
import { minBytesOf } from './avro-skipper.ts';
import { type AvroType, decimalScaleOf, logicalNameOf, underlyingType } from './avro-type.ts';
import { RowError } from './row-error.ts';

export type AvroReader = (cursor: AvroCursor) => FieldValue;

/** Null when the writer's type cannot become the field's. */
export function avroReaderOf(writer: AvroType, type: FieldType): AvroReader | null {
  const base = underlyingType(writer);
  if (base.typeName.startsWith('union:')) return unionReader(base, type);
  if (base.typeName === 'array') return arrayReader(base, type);
  const logical = logicalNameOf(writer);
  if (logical === 'decimal') return decimalReader(base, decimalScaleOf(writer), type);
  if (type === 'timestamp') return timestampReader(logical);
  return primitiveReader(base, type);
}

function unionReader(union: AvroType, type: FieldType): AvroReader | null {
  const { types } = union as unknown as { types: readonly AvroType[] };
  const readers: (AvroReader | null)[] = types.map((branch) =>
    branch.typeName === 'null' ? readNull : avroReaderOf(branch, type),
  );
  if (readers.includes(null)) return null;
  const count = readers.length;
  return (cursor) => (readers[cursor.readIndex(count)] as AvroReader)(cursor);
}

function readNull(): null {
  return null;
}

function arrayReader(array: AvroType, type: FieldType): AvroReader | null {
  const element = elementType(type);
  const { itemsType } = array as unknown as { itemsType: AvroType };
  const readItem = element === null ? null : avroReaderOf(itemsType, element);
  if (readItem === null) return null;
  const itemBytesMin = minBytesOf(itemsType);
  if (itemBytesMin === 0) return null;
  return (cursor) => {
    const items: NonNullable<FieldValue>[] = [];
    for (let count = cursor.readBlockCount(itemBytesMin); count > 0; ) {
      for (; count > 0; count--) items.push(requireItem(readItem(cursor)));
      count = cursor.readBlockCount(itemBytesMin);
    }
    return items as FieldValue;
  };
}

function requireItem(item: FieldValue): NonNullable<FieldValue> {
  if (item === null) throw new RowError('ROW_TYPE', 'an element of the array is null');
  return item;
}

/** Microseconds of one unit of a logical type. */
const UNIT_US: Readonly<Record<string, number>> = {
  date: 86_400_000_000,
  'timestamp-millis': 1_000,
  'timestamp-micros': 1,
  'local-timestamp-millis': 1_000,
  'local-timestamp-micros': 1,
};

/** A plain number says nothing about its unit, so it is not a timestamp. */
function timestampReader(logical: string | null): AvroReader | null {
  if (logical === 'timestamp-nanos' || logical === 'local-timestamp-nanos') return readNanos;
  const unitUs = UNIT_US[logical ?? ''];
  return unitUs === undefined ? null : (cursor) => cursor.readLong() * unitUs;
}

function readNanos(cursor: AvroCursor): number {
  const nanos = cursor.readBigLong();
  const us = nanos / 1_000n;
  return Number(nanos < 0n && us * 1_000n !== nanos ? us - 1n : us);
}

function decimalReader(base: AvroType, scale: number, type: FieldType): AvroReader | null {
  const readDigits = primitiveReader(base, 'bytes');
  if (readDigits === null || (type !== 'string' && type !== 'float64')) return null;
  const readText: AvroReader = (cursor) => decimalText(readDigits(cursor) as Uint8Array, scale);
  return type === 'string' ? readText : (cursor) => Number(readText(cursor));
}

/** Big-endian two's complement with `scale` digits after the point. */
function decimalText(bytes: Uint8Array, scale: number): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex || '0'}`));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const point = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return unscaled < 0n ? `-${text}` : text;
}

function primitiveReader(base: AvroType, type: FieldType): AvroReader | null {
  switch (base.typeName) {
    case 'fixed': {
      const { size } = base as unknown as { size: number };
      return type === 'bytes' ? (cursor) => cursor.readFixed(size) : null;
    }
    case 'enum': {
      const { symbols } = base as unknown as { symbols: readonly string[] };
      return type === 'string'
        ? (cursor) => symbols[cursor.readIndex(symbols.length)] as string
        : null;
    }
    default:
      return PRIMITIVES[`${base.typeName} ${type}`] ?? null;
  }
}

const readInt: AvroReader = (cursor) => cursor.readInt();
const readText: AvroReader = (cursor) => cursor.readString();
const readBytes: AvroReader = (cursor) => cursor.readBytes();
const toJson = coercerOf('json');

const PRIMITIVES: Readonly<Record<string, AvroReader>> = {
  'int int32': readInt,
  'int int64': (cursor) => BigInt(cursor.readInt()),
  'int float32': (cursor) => Math.fround(cursor.readInt()),
  'int float64': readInt,
  'long int64': (cursor) => cursor.readBigLong(),
  'long float32': (cursor) => Math.fround(readExactLong(cursor)),
  'long float64': readExactLong,
  'float float32': (cursor) => cursor.readFloat(),
  'float float64': (cursor) => cursor.readFloat(),
  'double float64': (cursor) => cursor.readDouble(),
  'string string': readText,
  'string bytes': readBytes,
  'string json': readJson,
  'bytes bytes': readBytes,
  'bytes string': readText,
  'boolean bool': (cursor) => cursor.readBoolean(),
};

function readExactLong(cursor: AvroCursor): number {
  const value = cursor.readLong();
  if (!Number.isSafeInteger(value)) {
    throw new RowError('ROW_TYPE', 'the long is beyond 2^53, which a float cannot hold');
  }
  return value;
}

function readJson(cursor: AvroCursor): FieldValue {
  const text = cursor.readString();
  try {
    return toJson(JSON.parse(text));
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError) && !(thrown instanceof FreshetError)) throw thrown;
    throw new RowError('ROW_TYPE', `not JSON: ${thrown.message}`);
  }
}

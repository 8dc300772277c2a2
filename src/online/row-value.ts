/**
 * The bytes of a stored row: where it stands in the order of the entity's rows, then its features.
 *
 * ```
 * row value := layoutId u16 | flags u8 | eventTime f64 | [ createdTime f64 ] | offset varint
 *              | states | value*
 *   flags    bit 0: rank of the source; bit 1: there is a created time
 *   states   2 bits a feature of the layout, the first in the lowest bits of the first byte:
 *            0 absent (the row had no such column), 1 null, 2 present; padded to whole bytes
 *   value    of each present feature, in the layout's order
 *     int32 i32 | int64 i64 | float32 f32 | float64, timestamp f64 | bool u8
 *     string, json (canonical text): varint size, UTF-8 | bytes: varint size, content
 *     T[]: varint count, elements
 * ```
 *
 * Times are whole microseconds. Numbers are big-endian; NaN has one form. The partition of a row is
 * in its key. Golden bytes: `test/golden/row-value.test.ts`.
 */
import { ByteReader, ByteWriter } from '../core/bytes.ts';
import { canonicalJson } from '../core/coerce.ts';
import { elementType, type FieldType, type FieldValue } from '../core/field-type.ts';
import type { Column, RowBatch } from '../core/row-batch.ts';
import { NO_CREATED_TIME_US, RANK_BATCH, RANK_STREAM, type SourceRank } from '../core/row-order.ts';
import { FreshetError } from '../errors.ts';
import type { StoredLayout } from '../state/index.ts';

/** What the stored row knows of one feature. */
export const FEATURE_ABSENT = 0;
export const FEATURE_NULL = 1;
export const FEATURE_PRESENT = 2;

/** Where a row stands; its partition is in its key. */
export interface StoredOrder {
  readonly eventTimeUs: number;
  readonly createdTimeUs: number;
  readonly rank: SourceRank;
  readonly offset: number;
}

const RANK_BIT = 1;
const CREATED_BIT = 2;

/** Writes rows of one batch layout as values of one stored layout. */
export class RowValueEncoder {
  readonly #layout: StoredLayout;
  /** Column by stored feature; -1 where the rows have none. */
  readonly #places: readonly number[];
  readonly #writers: readonly ValueWriter[];
  readonly #writer = new ByteWriter();

  constructor(layout: StoredLayout, columnIndex: ReadonlyMap<string, number>) {
    this.#layout = layout;
    this.#places = layout.names.map((name) => columnIndex.get(name) ?? -1);
    this.#writers = layout.types.map(valueWriter);
  }

  encode(rows: RowBatch, i: number, rank: SourceRank): Uint8Array {
    const writer = this.#writer;
    const createdTimeUs = rows.createdTimesUs[i] as number;
    const hasCreated = createdTimeUs !== NO_CREATED_TIME_US;
    writer.reset();
    writer.u16(this.#layout.id);
    writer.u8((rank === RANK_STREAM ? RANK_BIT : 0) | (hasCreated ? CREATED_BIT : 0));
    writer.f64(rows.eventTimesUs[i] as number);
    if (hasCreated) writer.f64(createdTimeUs);
    writer.varint(rows.offsets[i] as number);
    this.#writeStates(rows, i);
    for (let f = 0; f < this.#places.length; f++) {
      const column = rows.columns[this.#places[f] as number];
      if (column === undefined || column.valid[i] === 0) continue;
      (this.#writers[f] as ValueWriter)(writer, column, i);
    }
    return writer.toBytes();
  }

  #writeStates(rows: RowBatch, i: number): void {
    let byte = 0;
    let shift = 0;
    for (const place of this.#places) {
      byte |= stateOf(rows.columns[place], i) << shift;
      shift += 2;
      if (shift === 8) {
        this.#writer.u8(byte);
        byte = 0;
        shift = 0;
      }
    }
    if (shift > 0) this.#writer.u8(byte);
  }
}

function stateOf(column: Column | undefined, i: number): number {
  if (column === undefined) return FEATURE_ABSENT;
  return column.valid[i] === 0 ? FEATURE_NULL : FEATURE_PRESENT;
}

/** Reads the order alone. @throws FreshetError STORE_CORRUPT */
export function readStoredOrder(bytes: Uint8Array): StoredOrder {
  try {
    return readHeader(new ByteReader(bytes));
  } catch (cause) {
    throw corrupt(cause);
  }
}

/** The layout that a stored row was written with. */
export function layoutIdOf(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
}

/** A stored row, feature by feature in the order that was asked for. */
export interface StoredRow extends StoredOrder {
  /** FEATURE_ABSENT, FEATURE_NULL or FEATURE_PRESENT. */
  readonly states: readonly number[];
  readonly values: readonly FieldValue[];
}

/** Reads some features from values of one stored layout. */
export class RowValueDecoder {
  readonly #readers: readonly ValueReader[];
  /** By stored feature, the bytes of a value; 0 where they differ. */
  readonly #sizes: readonly number[];
  /** Place in the answer by stored feature; -1 for one that is not asked for. */
  readonly #places: readonly number[];
  readonly #wanted: number;
  readonly #whole: WholeRow | null;

  /** A feature that the layout has under another type counts as absent. */
  constructor(layout: StoredLayout, names: readonly string[], types: readonly FieldType[]) {
    this.#readers = layout.types.map(valueReader);
    this.#sizes = layout.types.map((type) => FIXED_BYTES[type] ?? 0);
    this.#places = layout.names.map((name, f) => {
      const place = names.indexOf(name);
      return place >= 0 && types[place] === layout.types[f] ? place : -1;
    });
    this.#wanted = names.length;
    this.#whole = wholeRow(this.#sizes, this.#places);
  }

  /** @throws FreshetError STORE_CORRUPT */
  decode(bytes: Uint8Array): StoredRow {
    const values = Array.from({ length: this.#wanted }, (): FieldValue[] => [null]);
    const states = Array.from({ length: this.#wanted }, () => new Uint8Array(1));
    const order = readStoredOrder(bytes);
    this.decodeInto(bytes, values, states, 0);
    return {
      ...order,
      states: states.map((column) => column[0] as number),
      values: values.map((column) => column[0] as FieldValue),
    };
  }

  /**
   * Puts what was asked for at place `i` of columns that hold nulls and FEATURE_ABSENT there; answers
   * with the event time. @throws FreshetError STORE_CORRUPT
   */
  decodeInto(
    bytes: Uint8Array,
    values: readonly FieldValue[][],
    states: readonly Uint8Array[],
    i: number,
  ): number {
    try {
      return this.#decodeInto(bytes, values, states, i);
    } catch (cause) {
      throw corrupt(cause);
    }
  }

  #decodeInto(
    bytes: Uint8Array,
    values: readonly FieldValue[][],
    states: readonly Uint8Array[],
    i: number,
  ): number {
    const reader = new ByteReader(bytes);
    reader.u16();
    const flags = reader.u8();
    const eventTimeUs = reader.f64();
    if ((flags & CREATED_BIT) !== 0) reader.skip(8);
    reader.varint();
    const packedAt = reader.position;
    const whole = this.#whole;
    if (whole !== null && isWhole(whole, bytes, packedAt)) {
      for (let w = 0; w < whole.features.length; w++) {
        const place = whole.places[w] as number;
        (states[place] as Uint8Array)[i] = FEATURE_PRESENT;
        reader.skip(whole.gaps[w] as number);
        const read = this.#readers[whole.features[w] as number] as ValueReader;
        (values[place] as FieldValue[])[i] = read(reader);
      }
      return eventTimeUs;
    }
    reader.skip(Math.ceil(this.#places.length / 4));
    for (let f = 0; f < this.#places.length; f++) {
      const state = ((bytes[packedAt + (f >>> 2)] as number) >>> ((f & 3) * 2)) & 3;
      const place = this.#places[f] as number;
      if (place >= 0) {
        (states[place] as Uint8Array)[i] = state;
        if (state !== FEATURE_PRESENT) continue;
        (values[place] as FieldValue[])[i] = (this.#readers[f] as ValueReader)(reader);
      } else if (state === FEATURE_PRESENT) {
        const size = this.#sizes[f] as number;
        if (size > 0) reader.skip(size);
        else (this.#readers[f] as ValueReader)(reader);
      }
    }
    if (reader.position !== bytes.length) {
      throw new RangeError('its values do not end where its bytes do');
    }
    return eventTimeUs;
  }
}

/** How to find features in a row that has all features of its layout, each of a size that is known. */
interface WholeRow {
  /** The packed states of such a row. */
  readonly states: Uint8Array;
  /** Of the states and the values. */
  readonly bytes: number;
  /** The stored features that are asked for, in the order of their bytes. */
  readonly features: readonly number[];
  readonly places: readonly number[];
  /** Bytes between what was read before, or the start of the states, and each feature. */
  readonly gaps: readonly number[];
}

/** Null where some feature has no size of its own. */
function wholeRow(sizes: readonly number[], places: readonly number[]): WholeRow | null {
  if (sizes.includes(0)) return null;
  const states = new Uint8Array(Math.ceil(sizes.length / 4));
  const features: number[] = [];
  const gaps: number[] = [];
  let at = states.length;
  let readTo = 0;
  for (const [f, size] of sizes.entries()) {
    states[f >>> 2] = (states[f >>> 2] as number) | (FEATURE_PRESENT << ((f & 3) * 2));
    if ((places[f] as number) >= 0) {
      features.push(f);
      gaps.push(at - readTo);
      readTo = at + size;
    }
    at += size;
  }
  return { states, bytes: at, features, places: features.map((f) => places[f] as number), gaps };
}

function isWhole({ states, bytes: size }: WholeRow, bytes: Uint8Array, packedAt: number): boolean {
  if (bytes.length !== packedAt + size) return false;
  for (let b = 0; b < states.length; b++) {
    if (bytes[packedAt + b] !== states[b]) return false;
  }
  return true;
}

const FIXED_BYTES: Readonly<Partial<Record<FieldType, number>>> = {
  bool: 1,
  int32: 4,
  float32: 4,
  int64: 8,
  float64: 8,
  timestamp: 8,
};

function readHeader(reader: ByteReader): StoredOrder {
  reader.u16();
  const flags = reader.u8();
  return {
    eventTimeUs: reader.f64(),
    createdTimeUs: (flags & CREATED_BIT) === 0 ? NO_CREATED_TIME_US : reader.f64(),
    rank: (flags & RANK_BIT) === 0 ? RANK_BATCH : RANK_STREAM,
    offset: reader.varint(),
  };
}

function corrupt(cause: unknown): FreshetError {
  if (cause instanceof FreshetError) return cause;
  const what = cause instanceof Error ? cause.message : String(cause);
  return new FreshetError('STORE_CORRUPT', `a stored row cannot be read: ${what}`, { cause });
}

type ValueWriter = (writer: ByteWriter, column: Column, i: number) => void;

function valueWriter(type: FieldType): ValueWriter {
  if (type === 'bool') return (writer, column, i) => writer.u8(column.values[i] as number);
  const write = elementWriter(type);
  return (writer, column, i) => write(writer, column.values[i] as NonNullable<FieldValue>);
}

type ElementWriter = (writer: ByteWriter, value: NonNullable<FieldValue>) => void;

function elementWriter(type: FieldType): ElementWriter {
  const element = elementType(type);
  if (element !== null) {
    const write = elementWriter(element);
    return (writer, value) => {
      const items = value as readonly NonNullable<FieldValue>[];
      writer.varint(items.length);
      for (const item of items) write(writer, item);
    };
  }
  switch (type) {
    case 'int32':
      return (writer, value) => writer.i32(value as number);
    case 'int64':
      return (writer, value) => writer.i64(value as bigint);
    case 'bool':
      return (writer, value) => writer.u8(value === true ? 1 : 0);
    case 'string':
      return (writer, value) => writer.string(value as string);
    case 'bytes':
      return (writer, value) => writer.bytes(value as Uint8Array);
    case 'json':
      return (writer, value) => writer.string(canonicalJson(value));
    case 'float32':
      return (writer, value) => writer.f32(canonicalNumber(value as number));
    default:
      return (writer, value) => writer.f64(canonicalNumber(value as number));
  }
}

/** NaN has many bit patterns; equal rows must have equal bytes. */
function canonicalNumber(value: number): number {
  return Number.isNaN(value) ? Number.NaN : value;
}

type ValueReader = (reader: ByteReader) => NonNullable<FieldValue>;

function valueReader(type: FieldType): ValueReader {
  const element = elementType(type);
  if (element !== null) {
    const read = valueReader(element);
    return (reader) => {
      const items: unknown[] = [];
      for (let left = reader.varint(); left > 0; left--) items.push(read(reader));
      return items as NonNullable<FieldValue>;
    };
  }
  switch (type) {
    case 'int32':
      return (reader) => reader.i32();
    case 'int64':
      return (reader) => reader.i64();
    case 'bool':
      return (reader) => reader.u8() === 1;
    case 'string':
      return (reader) => reader.string();
    case 'bytes':
      return (reader) => Uint8Array.from(reader.bytes());
    case 'json':
      return (reader) => JSON.parse(reader.string()) as NonNullable<FieldValue>;
    case 'float32':
      return (reader) => reader.f32();
    default:
      return (reader) => reader.f64();
  }
}

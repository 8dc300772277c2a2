/**
 * Decoded rows, column by column. The engine moves batches of columns, never single row objects:
 * a column is filled once by the codec and read by the online store, the windows and the segments.
 */
import type { FieldType, FieldValue, Schema } from './field-type.ts';

/** Names and types of the columns of one source, in order. Made once per source. */
export interface RowLayout {
  readonly names: readonly string[];
  readonly types: readonly FieldType[];
  /** Position by name. */
  readonly index: ReadonlyMap<string, number>;
}

/**
 * Values of one column. Typed arrays where the type has one:
 * int32 → Int32Array, int64 → BigInt64Array, float32 and float64 → Float64Array (float32 values
 * already rounded), timestamp → Float64Array of microseconds, bool → Uint8Array of 0 and 1, all
 * else → a plain array. A null has `valid[i] === 0` and an unspecified value.
 */
export interface Column {
  readonly type: FieldType;
  readonly values: ColumnValues;
  readonly valid: Uint8Array;
}

export type ColumnValues =
  | Int32Array
  | BigInt64Array
  | Float64Array
  | Uint8Array
  | (FieldValue | undefined)[];

/** Rows of one topic partition in offset order; all arrays hold at least `count` entries. */
export interface RowBatch {
  readonly layout: RowLayout;
  readonly count: number;
  readonly columns: readonly Column[];
  readonly offsets: Float64Array;
  /** The source's timestamp field, microseconds. */
  readonly eventTimesUs: Float64Array;
  /** The source's created timestamp field; NO_CREATED_TIME_US where there is none. */
  readonly createdTimesUs: Float64Array;
  /** The broker's record timestamp, microseconds. */
  readonly arrivalTimesUs: Float64Array;
}

export function rowLayout(schema: Schema): RowLayout {
  const names = Object.keys(schema);
  return {
    names,
    types: names.map((name) => schema[name] as FieldType),
    index: new Map(names.map((name, i) => [name, i])),
  };
}

export function makeColumn(type: FieldType, capacity: number): Column {
  return { type, values: columnValues(type, capacity), valid: new Uint8Array(capacity) };
}

/** The value in row i as Freshet returns it; null when it is not valid. */
export function columnValue(column: Column, i: number): FieldValue {
  if (column.valid[i] === 0) return null;
  const value = column.values[i] as FieldValue;
  return column.type === 'bool' ? value === 1 : value;
}

/** Rows `[from, to)` of a batch; typed arrays are views, not copies. */
export function sliceRows(rows: RowBatch, from: number, to: number): RowBatch {
  if (from === 0 && to === rows.count) return rows;
  return {
    layout: rows.layout,
    count: to - from,
    columns: rows.columns.map((column) => ({
      type: column.type,
      values: Array.isArray(column.values)
        ? column.values.slice(from, to)
        : column.values.subarray(from, to),
      valid: column.valid.subarray(from, to),
    })),
    offsets: rows.offsets.subarray(from, to),
    eventTimesUs: rows.eventTimesUs.subarray(from, to),
    createdTimesUs: rows.createdTimesUs.subarray(from, to),
    arrivalTimesUs: rows.arrivalTimesUs.subarray(from, to),
  };
}

/** Index of the first of `count` rising offsets that is at or above `offset`. */
export function firstAtOrAbove(offsets: Float64Array, count: number, offset: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function columnValues(type: FieldType, capacity: number): ColumnValues {
  switch (type) {
    case 'int32':
      return new Int32Array(capacity);
    case 'int64':
      return new BigInt64Array(capacity);
    case 'float32':
    case 'float64':
    case 'timestamp':
      return new Float64Array(capacity);
    case 'bool':
      return new Uint8Array(capacity);
    default:
      return new Array(capacity);
  }
}

/**
 * Columns into a DuckDB table. Typed arrays are copied whole, 2,048 rows a chunk: three times as
 * fast as appending value by value.
 */
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  blobValue,
  DOUBLE,
  type DuckDBAppender,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  type DuckDBVector,
  FLOAT,
  INTEGER,
  LIST,
  listValue,
  TIMESTAMP,
  timestampValue,
  VARCHAR,
} from '@duckdb/node-api';
import { assert } from '../core/assert.ts';
import { canonicalJson } from '../core/coerce.ts';
import { elementType, type FieldType } from '../core/field-type.ts';
import { writeInt64 } from '../core/int64.ts';
import type { Column } from '../core/row-batch.ts';
import { toDuckdbError } from './duckdb-error.ts';
import { CHUNK_ROWS, itemsOf } from './vector.ts';

/** Calls copy before they return; they run on the calling thread. */
export interface ColumnAppender {
  /** Rows `[from, to)` of columns in the order of the table. */
  append(columns: readonly Column[], from: number, to: number): void;
  /** Everything appended is in the table afterwards. */
  flush(): void;
  /** Flushes and ends. */
  close(): void;
}

export function createColumnAppender(
  appender: DuckDBAppender,
  types: readonly FieldType[],
): ColumnAppender {
  const duckdbTypes = types.map(toDuckdbType);
  const writers = types.map(writerOf);
  const appendChunk = (columns: readonly Column[], from: number, count: number): void => {
    const chunk = DuckDBDataChunk.create(duckdbTypes, count);
    for (let c = 0; c < writers.length; c++) {
      const column = columns[c] as Column;
      const vector = chunk.getColumnVector(c);
      (writers[c] as VectorWriter)(vector, column, from, count);
      markNulls(vector, column.valid, from, count);
      vector.flush();
    }
    appender.appendDataChunk(chunk);
  };
  return {
    append(columns, from, to): void {
      assert(columns.length === types.length, `${columns.length} columns for ${types.length}`);
      guarded(() => {
        for (let i = from; i < to; i += CHUNK_ROWS) {
          appendChunk(columns, i, Math.min(CHUNK_ROWS, to - i));
        }
      });
    },
    flush: () => guarded(() => appender.flushSync()),
    close: () => guarded(() => appender.closeSync()),
  };
}

type VectorWriter = (vector: DuckDBVector, column: Column, from: number, count: number) => void;

function toDuckdbType(type: FieldType): DuckDBType {
  const element = elementType(type);
  return element === null ? (DUCKDB_TYPES[type] as DuckDBType) : LIST(toDuckdbType(element));
}

const DUCKDB_TYPES: Readonly<Record<string, DuckDBType>> = {
  int32: INTEGER,
  int64: BIGINT,
  float32: FLOAT,
  float64: DOUBLE,
  string: VARCHAR,
  bool: BOOLEAN,
  bytes: BLOB,
  timestamp: TIMESTAMP,
  json: VARCHAR,
};

function writerOf(type: FieldType): VectorWriter {
  switch (type) {
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
      return writeNumbers;
    case 'timestamp':
      return writeTimestamps;
    case 'bool':
      return eachValue((value) => value === 1);
    case 'string':
      return eachValue((value) => value as string);
    case 'bytes':
      return eachValue((value) => blobValue(value as Uint8Array));
    case 'json':
      return eachValue(canonicalJson);
    default:
      return eachValue(listWriterOf(type));
  }
}

function writeNumbers(vector: DuckDBVector, column: Column, from: number, count: number): void {
  const values = column.values as Float64Array;
  (itemsOf(vector) as Float64Array).set(values.subarray(from, from + count));
}

function writeTimestamps(vector: DuckDBVector, column: Column, from: number, count: number): void {
  writeInt64(itemsOf(vector) as BigInt64Array, column.values as Float64Array, from, count);
}

function eachValue(toValue: (value: unknown) => DuckDBValue): VectorWriter {
  return (vector, { values, valid }, from, count) => {
    for (let i = 0; i < count; i++) {
      if (valid[from + i] === 1) vector.setItem(i, toValue(values[from + i]));
    }
  };
}

function listWriterOf(type: FieldType): (value: unknown) => DuckDBValue {
  const element = elementType(type);
  if (element === 'timestamp') {
    return (value) => listValue((value as number[]).map((us) => timestampValue(BigInt(us))));
  }
  if (element === 'bytes') {
    return (value) => listValue((value as Uint8Array[]).map((bytes) => blobValue(bytes)));
  }
  return (value) => listValue(value as DuckDBValue[]);
}

function markNulls(vector: DuckDBVector, valid: Uint8Array, from: number, count: number): void {
  const end = from + count;
  for (let i = valid.indexOf(0, from); i !== -1 && i < end; i = valid.indexOf(0, i + 1)) {
    vector.setItem(i - from, null);
  }
}

function guarded(action: () => void): void {
  try {
    action();
  } catch (thrown) {
    throw toDuckdbError(thrown);
  }
}

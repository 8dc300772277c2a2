/** The one place that owns Arrow. Numbers are handed over as they are; all else is copied by value. */
import {
  Binary,
  Bool,
  type Data,
  type DataType,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeBuilder,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow';
import { canonicalJson } from '../core/coerce.ts';
import { elementType, type FieldType } from '../core/field-type.ts';
import { toInt64 } from '../core/int64.ts';
import { type Column, columnValue } from '../core/row-batch.ts';
import type { HistoricalChunk } from './output.ts';

/** The Arrow type of each field type; json is text, timestamps are UTC. */
function arrowType(type: FieldType): DataType {
  const element = elementType(type);
  if (element !== null) return new List(new Field('item', arrowType(element), false));
  return (SCALARS[type] as () => DataType)();
}

export function arrowSchema(names: readonly string[], types: readonly FieldType[]): Schema {
  return new Schema(
    names.map((name, i) => new Field(name, arrowType(types[i] as FieldType), true)),
  );
}

export function recordBatch(schema: Schema, chunk: HistoricalChunk): RecordBatch {
  const length = chunk.rowCount;
  const children = schema.fields.map((field, i) => columnData(field.type, chunk.column(i), length));
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }),
  );
}

export function arrowTable(schema: Schema, batches: readonly RecordBatch[]): Table {
  return new Table(schema, [...batches]);
}

/** The bytes of an Arrow IPC file, as they come to be. */
export async function* arrowFileBytes(
  batches: AsyncIterable<RecordBatch>,
): AsyncIterable<Uint8Array> {
  const writer = await RecordBatchFileWriter.writeAll(batches);
  for await (const bytes of writer) yield bytes as Uint8Array;
}

const SCALARS: Readonly<Record<string, () => DataType>> = {
  int32: () => new Int32(),
  int64: () => new Int64(),
  float32: () => new Float32(),
  float64: () => new Float64(),
  string: () => new Utf8(),
  bool: () => new Bool(),
  bytes: () => new Binary(),
  timestamp: () => new TimestampMicrosecond('UTC'),
  json: () => new Utf8(),
};

function columnData(type: DataType, column: Column, length: number): Data {
  if (column.type === 'timestamp[]') return timeListData(type as List, column, length);
  const values = numbersOf(column, length);
  if (values === null) return builtData(type, column, length);
  return makeData({ type, length, ...nullsOf(column.valid, length), data: values } as never);
}

/** The memory that Arrow wants for a column of numbers; null for other columns. */
function numbersOf(column: Column, length: number): unknown {
  switch (column.type) {
    case 'int32':
    case 'int64':
    case 'float64':
      return column.values;
    case 'float32':
      return Float32Array.from(column.values as Float64Array);
    case 'timestamp':
      return toInt64(column.values as Float64Array, 0, length);
    default:
      return null;
  }
}

function nullsOf(valid: Uint8Array, length: number): { nullBitmap: Uint8Array; nullCount: number } {
  const nullBitmap = new Uint8Array(Math.ceil(length / 8));
  let nullCount = 0;
  for (let i = 0; i < length; i++) {
    if (valid[i] === 0) nullCount++;
    else nullBitmap[i >> 3] = (nullBitmap[i >> 3] as number) | (1 << (i & 7));
  }
  return { nullBitmap, nullCount };
}

function builtData(type: DataType, column: Column, length: number): Data {
  const builder = makeBuilder({ type, nullValues: [null] });
  for (let i = 0; i < length; i++) {
    const value = columnValue(column, i);
    builder.append(value !== null && column.type === 'json' ? canonicalJson(value) : value);
  }
  return builder.finish().flush();
}

/** Arrow's own builder takes timestamps as milliseconds, which microseconds do not survive. */
function timeListData(type: List, column: Column, length: number): Data {
  const lists = Array.from({ length }, (_, i) => (columnValue(column, i) ?? []) as number[]);
  const valueOffsets = new Int32Array(length + 1);
  lists.forEach((list, i) => {
    valueOffsets[i + 1] = (valueOffsets[i] as number) + list.length;
  });
  const times = Float64Array.from(lists.flat());
  const child = makeData({
    type: type.children[0]?.type,
    length: times.length,
    nullCount: 0,
    data: toInt64(times, 0, times.length),
  } as never);
  return makeData({ type, length, ...nullsOf(column.valid, length), valueOffsets, child } as never);
}

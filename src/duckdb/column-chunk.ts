/**
 * A chunk of a result as columns. Each SQL type has one field type that carries it:
 *
 * | SQL                                              | column                                  |
 * | BOOLEAN                                          | bool                                    |
 * | TINYINT, SMALLINT, INTEGER, UTINYINT, USMALLINT  | int32                                   |
 * | UINTEGER, BIGINT; UBIGINT, HUGEINT, UHUGEINT     | int64; VALUE_TYPE where it does not fit |
 * | FLOAT; DOUBLE, DECIMAL                           | float32; float64                        |
 * | TIMESTAMP of any unit or zone, DATE              | timestamp; nanoseconds are cut          |
 * | BLOB                                             | bytes                                   |
 * | LIST and ARRAY of these                          | arrays; VALUE_TYPE for a null element   |
 * | VARCHAR, UUID, ENUM and everything else          | string, as DuckDB writes it             |
 */
import {
  type DuckDBArrayType,
  type DuckDBArrayVector,
  type DuckDBBlobVector,
  type DuckDBDataChunk,
  type DuckDBDecimalValue,
  DuckDBListVector,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBVector,
} from '@duckdb/node-api';
import { elementType, type FieldType, type FieldValue } from '../core/field-type.ts';
import { readInt64 } from '../core/int64.ts';
import { type Column, type ColumnValues, columnValue } from '../core/row-batch.ts';
import { US_PER_MS, US_PER_SECOND } from '../core/time.ts';
import { FreshetError } from '../errors.ts';
import { bytesOf, elementsOf, itemsOf, validOf } from './vector.ts';

/** Columns are read when first asked for, and are copies: they outlive the chunk. */
export interface ColumnChunk {
  readonly names: readonly string[];
  readonly types: readonly FieldType[];
  readonly rowCount: number;
  column(index: number): Column;
}

/** Reads the chunks of one result; made once per result. */
export function chunkReader(
  names: readonly string[],
  duckdbTypes: readonly DuckDBType[],
): (chunk: DuckDBDataChunk) => ColumnChunk {
  const readers = duckdbTypes.map((type, c) => readerOf(type, names[c] as string));
  const types = readers.map((reader) => reader.type);
  return (chunk) => {
    const rowCount = chunk.rowCount;
    const columns: (Column | undefined)[] = new Array(names.length);
    const column = (index: number): Column => {
      columns[index] ??= readColumn(readers[index]!, chunk.getColumnVector(index), rowCount);
      return columns[index];
    };
    return { names, types, rowCount, column };
  };
}

interface ColumnReader {
  readonly type: FieldType;
  /** Values of a vector; what stands where there is null does not matter. */
  read(vector: DuckDBVector, count: number, valid: Uint8Array): ColumnValues;
}

function readColumn(reader: ColumnReader, vector: DuckDBVector, count: number): Column {
  const valid = validOf(vector, count);
  return { type: reader.type, values: reader.read(vector, count, valid), valid };
}

const DAY_US = 86_400 * US_PER_SECOND;

function readerOf(type: DuckDBType, name: string): ColumnReader {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return {
        type: 'bool',
        read: (vector, count) => new Uint8Array(bytesOf(vector)).slice(0, count),
      };
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.UTINYINT:
    case DuckDBTypeId.USMALLINT:
      return { type: 'int32', read: (vector) => new Int32Array(itemsOf(vector) as Int32Array) };
    case DuckDBTypeId.BIGINT:
      return { type: 'int64', read: (vector) => (itemsOf(vector) as BigInt64Array).slice() };
    case DuckDBTypeId.UINTEGER:
    case DuckDBTypeId.UBIGINT:
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      return { type: 'int64', read: (vector, count) => readWideInts(vector, count, name) };
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
      return {
        type: type.typeId === DuckDBTypeId.FLOAT ? 'float32' : 'float64',
        read: (vector) => new Float64Array(itemsOf(vector) as Float64Array),
      };
    case DuckDBTypeId.DECIMAL:
      return { type: 'float64', read: readDecimals };
    case DuckDBTypeId.BLOB:
      return { type: 'bytes', read: readBlobs };
    case DuckDBTypeId.VARCHAR:
      return { type: 'string', read: readStrings };
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
      return listReaderOf(type as DuckDBArrayType, name);
    default:
      return timeReaderOf(type.typeId) ?? { type: 'string', read: readText };
  }
}

function timeReaderOf(typeId: DuckDBTypeId): ColumnReader | null {
  const scaled = (us: (value: number) => number): ColumnReader => ({
    type: 'timestamp',
    read: (vector, count) => readInt64(itemsOf(vector) as BigInt64Array, count).map(us),
  });
  switch (typeId) {
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
      return {
        type: 'timestamp',
        read: (vector, count) => readInt64(itemsOf(vector) as BigInt64Array, count),
      };
    case DuckDBTypeId.TIMESTAMP_S:
      return scaled((seconds) => seconds * US_PER_SECOND);
    case DuckDBTypeId.TIMESTAMP_MS:
      return scaled((ms) => ms * US_PER_MS);
    case DuckDBTypeId.TIMESTAMP_NS:
      return { type: 'timestamp', read: readNanoseconds };
    case DuckDBTypeId.DATE:
      return {
        type: 'timestamp',
        read: (vector) => new Float64Array(itemsOf(vector) as Int32Array).map((d) => d * DAY_US),
      };
    default:
      return null;
  }
}

/** Through bigint: today's nanoseconds are beyond 2^53. */
function readNanoseconds(vector: DuckDBVector, count: number): Float64Array {
  const items = itemsOf(vector) as BigInt64Array;
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const ns = items[i] as bigint;
    const rest = ns % 1_000n;
    values[i] = Number((ns - (rest < 0n ? rest + 1_000n : rest)) / 1_000n);
  }
  return values;
}

function readWideInts(vector: DuckDBVector, count: number, column: string): BigInt64Array {
  const values = new BigInt64Array(count);
  for (let i = 0; i < count; i++) {
    const value = vector.getItem(i) as bigint | number | null;
    if (value === null) continue;
    const whole = BigInt(value);
    values[i] = whole;
    if (values[i] !== whole) {
      throw new FreshetError('VALUE_TYPE', `${whole} in column "${column}" is beyond int64`, {
        where: { column },
      });
    }
  }
  return values;
}

function readDecimals(vector: DuckDBVector, count: number): Float64Array {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const value = vector.getItem(i) as DuckDBDecimalValue | null;
    // Through text: the nearest double, where dividing two rounded numbers may miss it.
    if (value !== null) values[i] = Number(value.toString());
  }
  return values;
}

function readBlobs(vector: DuckDBVector, count: number): FieldValue[] {
  const values: FieldValue[] = new Array(count);
  for (let i = 0; i < count; i++) {
    const bytes = (vector as DuckDBBlobVector).getItemBytes(i);
    values[i] = bytes === null ? null : Uint8Array.from(bytes);
  }
  return values;
}

const STRING_BYTES = 16;
const INLINE_BYTES = 12;

/** A string of up to 12 bytes lies in the vector itself: a u32 length and the bytes. */
function readStrings(vector: DuckDBVector, count: number, valid: Uint8Array): FieldValue[] {
  const values: FieldValue[] = new Array(count);
  const bytes = bytesOf(vector);
  for (let i = 0; i < count; i++) {
    if (valid[i] === 0) {
      values[i] = null;
      continue;
    }
    const at = i * STRING_BYTES;
    const length = bytes.readUInt32LE(at);
    values[i] =
      length <= INLINE_BYTES
        ? bytes.toString('utf8', at + 4, at + 4 + length)
        : (vector.getItem(i) as string);
  }
  return values;
}

function readText(vector: DuckDBVector, count: number): FieldValue[] {
  const values: FieldValue[] = new Array(count);
  for (let i = 0; i < count; i++) {
    const value: unknown = vector.getItem(i);
    values[i] = value === null ? null : String(value);
  }
  return values;
}

function listReaderOf(type: DuckDBArrayType, name: string): ColumnReader {
  const element = readerOf(type.valueType, name);
  const isNested = elementType(element.type) !== null;
  if (isNested || !isScalarId(type.valueType.typeId)) return { type: 'string', read: readText };
  return {
    type: `${element.type}[]` as FieldType,
    read(vector, count, valid): FieldValue[] {
      const lists = entriesOf(vector, type);
      const childCount = lists.child.itemCount;
      const child = readColumn(element, lists.child, childCount);
      const values: FieldValue[] = new Array(count);
      for (let i = 0; i < count; i++) {
        values[i] = valid[i] === 0 ? null : listItems(child, lists.start(i), lists.length(i), name);
      }
      return values;
    },
  };
}

function isScalarId(typeId: DuckDBTypeId): boolean {
  return (
    typeId !== DuckDBTypeId.STRUCT && typeId !== DuckDBTypeId.MAP && typeId !== DuckDBTypeId.UNION
  );
}

interface ListEntries {
  readonly child: DuckDBVector;
  start(i: number): number;
  length(i: number): number;
}

function entriesOf(vector: DuckDBVector, type: DuckDBArrayType): ListEntries {
  if (vector instanceof DuckDBListVector) {
    return {
      child: vector.childVector,
      start: (i) => vector.getEntryOffset(i),
      length: (i) => vector.getEntryLength(i),
    };
  }
  return {
    child: elementsOf(vector as DuckDBArrayVector),
    start: (i) => i * type.length,
    length: () => type.length,
  };
}

function listItems(child: Column, start: number, length: number, column: string): FieldValue {
  const items = new Array(length);
  for (let i = 0; i < length; i++) {
    const item = columnValue(child, start + i);
    if (item === null) {
      throw new FreshetError('VALUE_TYPE', `an array in column "${column}" has a null element`, {
        where: { column },
      });
    }
    items[i] = item;
  }
  return items;
}

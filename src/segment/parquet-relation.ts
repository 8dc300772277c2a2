/**
 * A user's Parquet history as a SQL relation with the declared names and types. Types are cast only
 * where every value survives: what a cast cannot hold is refused here by its type, or by DuckDB
 * when it meets the value. Two casts round, as everywhere: doubles to float32 to the nearest,
 * nanoseconds are cut to microseconds.
 */
import { stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { elementType, type FieldType } from '../core/field-type.ts';
import { didYouMean } from '../core/nearest.ts';
import type { ParquetSource } from '../definition/index.ts';
import {
  type DuckdbConnection,
  fieldTypeToSql,
  quoteIdentifier,
  quoteLiteral,
} from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';

export interface ParquetRelation {
  /**
   * SQL text of a query (put it in parentheses): the fields of the source, then the system columns
   * of a segment. `_partition` is 0; `_offset` rises in the order of files and rows, file number ×
   * 2^32 + row number; `_arrival` is the created time, or the event time where there is none;
   * `_late` is 0.
   */
  readonly sql: string;
  /** The files that are read, in the order in which offsets number them. */
  readonly files: readonly string[];
  /** The same of some of the files: numbers differ, their order does not. */
  readonly sqlOf: (files: readonly string[]) => string;
}

export interface RelationFiles {
  /** Of the files of the source, those that are among these. Default: all. */
  readonly only?: readonly string[] | undefined;
  /** Files with the columns of the source that lie elsewhere, behind its own. Default: none. */
  readonly more?: readonly string[];
}

/**
 * The relation of a file, a glob or a folder (with hive partitions, too).
 * A folder without files has no rows. @throws FreshetError COLUMN_MISSING naming column and path,
 *   PARQUET_INVALID for a column whose type cannot be cast, for a path that is not there, and for a
 *   file that is not Parquet
 */
export async function parquetRelation(
  duckdb: DuckdbConnection,
  source: ParquetSource,
  baseDirectory: string,
  { only, more = [] }: RelationFiles = {},
): Promise<ParquetRelation> {
  const path = await resolvePath(duckdb, source.path, baseDirectory);
  const found = path === null ? [] : await listFiles(duckdb, path);
  const known = only === undefined ? null : new Set(only);
  const files = [...(known === null ? found : found.filter((file) => known.has(file))), ...more];
  const mayBeEmpty = path === null || known !== null;
  if (files.length === 0 && mayBeEmpty) {
    const sql = emptySql(source);
    return { sql, files, sqlOf: () => sql };
  }
  // The list, not the glob: what comes between the two is not among `files`. Without any, DuckDB says so.
  const at = path ?? join(baseDirectory, source.path);
  const rowsOf = (read: readonly string[]): string =>
    `read_parquet([${read.map(quoteLiteral).join(', ')}], union_by_name = true)`;
  const columns = await duckdb.query(
    `DESCRIBE SELECT * FROM ${rowsOf(files.length === 0 ? [at] : files)}`,
  );
  const sqlTypes = new Map(
    columns.map((column) => [column['column_name'] as string, column['column_type'] as string]),
  );
  const fields = Object.entries(source.schema).map(
    ([field, type]) =>
      `${fieldExpression(source, at, sqlTypes, field, type)} AS ${quoteIdentifier(field)}`,
  );
  const fieldsSql = `SELECT ${fields.join(', ')}, ${OFFSET} AS _offset`;
  const arrival = arrivalExpression(source);
  const names = Object.keys(source.schema).map(quoteIdentifier);
  const sqlOf = (read: readonly string[]): string =>
    `SELECT ${names.join(', ')}, 0::INTEGER AS _partition, _offset, ` +
    `${arrival} AS _arrival, 0::BIGINT AS _late FROM (${fieldsSql} FROM ${rowsOf(read)})`;
  return {
    sql: sqlOf(files),
    files,
    sqlOf: (some) => (some.length === 0 ? emptySql(source) : sqlOf(some)),
  };
}

const OFFSET = '(file_index::BIGINT * 4294967296 + file_row_number::BIGINT)';

/** A folder stands for all Parquet files below it; null for one that has none. */
async function resolvePath(
  duckdb: DuckdbConnection,
  path: string,
  baseDirectory: string,
): Promise<string | null> {
  const full = isAbsolute(path) || path.includes('://') ? path : join(baseDirectory, path);
  if (/[*?[]/.test(path)) return full;
  const below = join(full, '**', '*.parquet');
  const [found] = await duckdb.query(`SELECT file FROM glob(${quoteLiteral(below)}) LIMIT 1`);
  if (found !== undefined) return below;
  return (await isFolder(full)) ? null : full;
}

async function listFiles(duckdb: DuckdbConnection, path: string): Promise<string[]> {
  const found = await duckdb.query(`SELECT file FROM glob(${quoteLiteral(path)}) ORDER BY file`);
  return found.map(({ file }) => file as string);
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** Of a folder that is to be filled, by a backfill or otherwise, or of no file. */
function emptySql({ schema }: ParquetSource): string {
  const fields = Object.entries(schema).map(
    ([field, type]) => `NULL::${fieldTypeToSql(type)} AS ${quoteIdentifier(field)}`,
  );
  const system =
    '0::INTEGER AS _partition, 0::BIGINT AS _offset, NULL::TIMESTAMP AS _arrival, 0::BIGINT AS _late';
  return `SELECT ${fields.join(', ')}, ${system} WHERE false`;
}

function fieldExpression(
  source: ParquetSource,
  path: string,
  sqlTypes: ReadonlyMap<string, string>,
  field: string,
  type: FieldType,
): string {
  const column = source.columnMap[field] ?? field;
  const sqlType = sqlTypes.get(column);
  const where = { source: source.name, file: path, column };
  if (sqlType === undefined) {
    throw new FreshetError(
      'COLUMN_MISSING',
      `${path} has no column "${column}". ${didYouMean(column, sqlTypes.keys())}`,
      { where },
    );
  }
  const expression = castExpression(quoteIdentifier(column), sqlType, type);
  if (expression === null) {
    throw new FreshetError(
      'PARQUET_INVALID',
      `column "${column}" of ${path} is ${sqlType}, which ${type} cannot hold`,
      { where, next: 'Declare the field with a type that holds the column.' },
    );
  }
  return expression;
}

function arrivalExpression(source: ParquetSource): string {
  const eventTime = quoteIdentifier(source.timestampField);
  return source.createdTimestampField === null
    ? eventTime
    : `coalesce(${quoteIdentifier(source.createdTimestampField)}, ${eventTime})`;
}

const SMALL_INTS = ['TINYINT', 'SMALLINT', 'INTEGER', 'UTINYINT', 'USMALLINT'];
const WIDE_INTS = ['UINTEGER', 'BIGINT', 'UBIGINT'];
const TIMES = ['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP WITH TIME ZONE', 'DATE'];

/** What a plain CAST turns into each type; where it could lose something it fails at the value. */
const CASTS: Readonly<Record<string, ReadonlySet<string>>> = {
  int32: new Set([...SMALL_INTS, ...WIDE_INTS]),
  int64: new Set([...SMALL_INTS, ...WIDE_INTS]),
  float32: new Set(['FLOAT', 'DOUBLE', 'TINYINT', 'SMALLINT', 'UTINYINT', 'USMALLINT']),
  float64: new Set(['FLOAT', 'DOUBLE', ...SMALL_INTS, 'UINTEGER']),
  string: new Set(['VARCHAR', 'UUID']),
  bool: new Set(['BOOLEAN']),
  bytes: new Set(['BLOB']),
  timestamp: new Set(TIMES),
  json: new Set(['VARCHAR', 'JSON']),
};

/** Null when the type cannot hold what the SQL type holds. */
function castExpression(column: string, sqlType: string, type: FieldType): string | null {
  const cast = `CAST(${column} AS ${fieldTypeToSql(type)})`;
  if (sqlType === fieldTypeToSql(type)) return column;
  const element = elementType(type);
  if (element !== null) {
    const sqlElement = /^(.*)\[\d*\]$/.exec(sqlType)?.[1];
    return sqlElement !== undefined && isPlainCast(sqlElement, element) ? cast : null;
  }
  if (isPlainCast(sqlType, type)) return cast;
  return specialCast(column, sqlType, type);
}

function isPlainCast(sqlType: string, type: FieldType): boolean {
  if (type === 'string' && sqlType.startsWith('ENUM(')) return true;
  if ((type === 'int32' || type === 'int64') && /^DECIMAL\(\d+,0\)$/.test(sqlType)) return true;
  return CASTS[type]?.has(sqlType) === true;
}

function specialCast(column: string, sqlType: string, type: FieldType): string | null {
  if (type === 'timestamp' && sqlType === 'TIMESTAMP_NS') {
    const ns = `epoch_ns(${column})`;
    return `make_timestamp((${ns} - ((${ns} % 1000) + 1000) % 1000) // 1000)`;
  }
  if (type === 'float64' && WIDE_INTS.includes(sqlType)) return safeDouble(column);
  if (type === 'float64' && isExactDecimal(sqlType)) return `CAST(${column} AS DOUBLE)`;
  if (type === 'json' && /^(STRUCT|MAP)\(|\]$/.test(sqlType)) {
    return `CAST(to_json(${column}) AS VARCHAR)`;
  }
  return null;
}

function safeDouble(column: string): string {
  return (
    `CASE WHEN ${column} BETWEEN -9007199254740991 AND 9007199254740991 ` +
    `THEN CAST(${column} AS DOUBLE) WHEN ${column} IS NOT NULL ` +
    `THEN error('Conversion Error: ' || ${column} || ' is beyond what float64 holds exactly') END`
  );
}

/** Up to 15 digits come back from a double as they were. */
function isExactDecimal(sqlType: string): boolean {
  const digits = /^DECIMAL\((\d+),/.exec(sqlType)?.[1];
  return digits !== undefined && Number(digits) <= 15;
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { FieldType } from '../core/field-type.ts';
import { didYouMean } from '../core/nearest.ts';
import type { ParquetSource } from '../definition/index.ts';
import {
  type DuckdbConnection,
  fieldTypeToSql,
  quoteIdentifier,
  quoteLiteral,
} from '../duckdb/index.ts';
import { FreshetError, toFreshetError } from '../errors.ts';
import { type ColumnCoercion, coerceColumn } from './coerce-column.ts';

/** A Parquet file that others have written, and how its columns become fields. */
export interface ForeignFile {
  readonly path: string;
  /** 16 hex digits: equal for equal rows, wherever the file lies. */
  readonly identity: string;
  /** In the order of the file. */
  readonly groups: readonly RowGroup[];
  readonly rowCount: number;
  /** All columns with their SQL types. */
  readonly columns: ReadonlyMap<string, string>;
  readonly fields: readonly ForeignField[];
}

export interface RowGroup {
  readonly id: number;
  readonly firstRow: number;
  readonly rowCount: number;
}

export interface ForeignField {
  readonly field: string;
  readonly type: FieldType;
  /** Null for a field that the files have no column of. */
  readonly column: string | null;
  readonly coercion: ColumnCoercion;
}

export interface ForeignFileOptions {
  readonly duckdb: DuckdbConnection;
  readonly source: ParquetSource;
  /**
   * Column of the files by field, where they differ from the names of the fields. An empty text: the
   * files have none, and the field is null.
   */
  readonly columns?: Readonly<Record<string, string>>;
  /** Fields that no row may lack, beside the event time. */
  readonly requiredFields: readonly string[];
}

/** @throws FreshetError PARQUET_INVALID, COLUMN_MISSING, INVALID_ARGUMENT, DISK_FAILED */
export async function openForeignFile(
  options: ForeignFileOptions,
  path: string,
): Promise<ForeignFile> {
  const { duckdb } = options;
  const described = await duckdb.query(`DESCRIBE SELECT * FROM ${foreignRows(path)}`);
  const columns = new Map(
    described.map((row) => [String(row['column_name']), String(row['column_type'])]),
  );
  const fields = fieldsOf(options, path, columns);
  const groups = await rowGroups(duckdb, path);
  return {
    path,
    identity: await identityOf(duckdb, path, fields),
    groups,
    rowCount: groups.reduce((sum, { rowCount }) => sum + rowCount, 0),
    columns,
    fields,
  };
}

/** Hive columns are text: `007` in a path stays what it is. */
export function foreignRows(path: string): string {
  const file = quoteLiteral(path);
  return `read_parquet(${file}, hive_partitioning = true, hive_types_autocast = false)`;
}

function fieldsOf(
  options: ForeignFileOptions,
  path: string,
  columns: ReadonlyMap<string, string>,
): ForeignField[] {
  const { source, columns: mapped = {} } = options;
  for (const field of Object.keys(mapped)) {
    if (Object.hasOwn(source.schema, field)) continue;
    const what = `source "${source.name}" has no field "${field}". ${didYouMean(field, Object.keys(source.schema))}`;
    throw new FreshetError('INVALID_ARGUMENT', what, { where: { source: source.name } });
  }
  return Object.entries(source.schema).map(([field, type]): ForeignField => {
    const column = mapped[field] ?? source.columnMap[field] ?? field;
    if (column === '') {
      requireOptional(options, field);
      const coercion = { value: `NULL::${fieldTypeToSql(type)}`, isBad: null };
      return { field, type, column: null, coercion };
    }
    return { field, type, column, coercion: coercionOf(path, columns, field, type, column) };
  });
}

function requireOptional({ source, requiredFields }: ForeignFileOptions, field: string): void {
  if (field !== source.timestampField && !requiredFields.includes(field)) return;
  throw new FreshetError('INVALID_ARGUMENT', `no row may lack the field "${field}"`, {
    where: { source: source.name },
  });
}

function coercionOf(
  path: string,
  columns: ReadonlyMap<string, string>,
  field: string,
  type: FieldType,
  column: string,
): ColumnCoercion {
  const sqlType = columns.get(column);
  const where = { file: path, column };
  if (sqlType === undefined) {
    const what = `${path} has no column "${column}" for the field "${field}". ${didYouMean(column, columns.keys())}`;
    const next = `Name its column; an empty name (\`--map ${field}=\`) says that there is none.`;
    throw new FreshetError('COLUMN_MISSING', what, { where, next });
  }
  const coercion = coerceColumn(`r.${quoteIdentifier(column)}`, sqlType, type);
  if (coercion !== null) return coercion;
  const what = `column "${column}" of ${path} is ${sqlType}, of which ${type} can hold nothing`;
  throw new FreshetError('PARQUET_INVALID', what, { where });
}

async function rowGroups(duckdb: DuckdbConnection, path: string): Promise<RowGroup[]> {
  const found = await duckdb.query(
    `SELECT row_group_id AS id, any_value(row_group_num_rows) AS n ` +
      `FROM parquet_metadata(${quoteLiteral(path)}) GROUP BY 1 ORDER BY 1`,
  );
  let firstRow = 0;
  return found.map(({ id, n }) => {
    const group = { id: Number(id), firstRow, rowCount: Number(n) };
    firstRow += group.rowCount;
    return group;
  });
}

/** Two hive partitions may have the same bytes, and be other rows. */
async function identityOf(
  duckdb: DuckdbConnection,
  path: string,
  fields: readonly ForeignField[],
): Promise<string> {
  const inside = await duckdb.query(`SELECT name FROM parquet_schema(${quoteLiteral(path)})`);
  const names = new Set(inside.map(({ name }) => name));
  const hive = path
    .split('/')
    .filter((part) => fields.some(({ column }) => column && isHive(part, column, names)));
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash, { end: false });
  } catch (thrown) {
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  }
  return hash.update(JSON.stringify(hive)).digest('hex').slice(0, 16);
}

function isHive(part: string, column: string, names: ReadonlySet<unknown>): boolean {
  return part.startsWith(`${column}=`) && !names.has(column);
}

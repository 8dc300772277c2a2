import type { FieldType } from '../core/field-type.ts';
import {
  type DuckdbConnection,
  fieldTypeToSql,
  quoteIdentifier,
  quoteLiteral,
  sqlToFieldType,
} from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import type { FeaturePlan } from '../transform/index.ts';
import { type ColumnRole, columnRoles, type LabelTable } from './entity-rows.ts';

/** Entity rows that DuckDB can read by itself. */
export type QueriedRows =
  | { readonly parquet: string }
  | { readonly csv: string }
  | { readonly sql: string };

/**
 * A file or query into the table of labels, in its order. Join keys are cast to their declared
 * types where nothing is lost; all other columns stay as they are.
 * @throws FreshetError PARQUET_INVALID, VALUE_TYPE, EVENT_TIMESTAMP_MISSING and as `columnRoles`
 */
export async function loadQuery(
  connection: DuckdbConnection,
  table: string,
  rows: QueriedRows,
  plan: FeaturePlan,
): Promise<LabelTable> {
  const source = sourceSql(rows);
  const described = await connection.query(`DESCRIBE SELECT * FROM (${source})`);
  const names = described.map((column) => column['column_name'] as string);
  const sqlTypes = described.map((column) => column['column_type'] as string);
  const timestampNames = names.filter((_, i) => /^(TIMESTAMP|DATE)/.test(sqlTypes[i] as string));
  const roles = columnRoles(plan, names, timestampNames);
  const timeIndex = roles.findIndex((role) => role.kind === 'time');
  const timeColumn = names[timeIndex] as string;

  const columns = names.map(
    (name, i) =>
      `${castSql(quoteIdentifier(name), sqlTypes[i] as string, roles[i] as ColumnRole)} AS c${i}`,
  );
  await connection.run(
    `CREATE TABLE ${table} AS SELECT epoch_us(c${timeIndex}) AS q, *
     FROM (SELECT ${columns.join(', ')} FROM (${source}))`,
  );
  const [facts] = await connection.query(
    `SELECT count(*) AS n, count(q) AS times, min(q) AS min, max(q) AS max FROM ${table}`,
  );
  if (facts?.['n'] !== facts?.['times']) await refuseMissingTime(connection, table, timeColumn);
  return {
    table,
    columns: names.map((name, i) => ({
      name,
      type: typeOf(sqlTypes[i] as string, roles[i] as ColumnRole),
    })),
    timeColumn,
    rowCount: Number(facts?.['n']),
    minTimeUs: numberOrNull(facts?.['min']),
    maxTimeUs: numberOrNull(facts?.['max']),
  };
}

function typeOf(sqlType: string, role: ColumnRole): FieldType | null {
  if (role.kind === 'time') return 'timestamp';
  return role.kind === 'key' ? role.type : sqlToFieldType(sqlType);
}

function sourceSql(rows: QueriedRows): string {
  if ('parquet' in rows) return `SELECT * FROM read_parquet(${quoteLiteral(rows.parquet)})`;
  if ('csv' in rows) return `SELECT * FROM read_csv(${quoteLiteral(rows.csv)})`;
  return rows.sql.trim().replace(/;$/, '');
}

const WHOLE = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const FRACTIONAL = /^(FLOAT|DOUBLE|DECIMAL)/;

function castSql(column: string, sqlType: string, role: ColumnRole): string {
  if (role.kind === 'time') return timeSql(column, sqlType);
  if (role.kind !== 'key') return column;
  return keySql(column, sqlType, role.type);
}

function timeSql(column: string, sqlType: string): string {
  if (WHOLE.test(sqlType)) return `make_timestamp(${column}::BIGINT)`;
  // Text with an offset is converted, text without one is UTC: the session's time zone is UTC.
  if (sqlType === 'VARCHAR') return `CAST(CAST(${column} AS TIMESTAMPTZ) AS TIMESTAMP)`;
  return `CAST(${column} AS TIMESTAMP)`;
}

/** As core/coerce.ts does for values: whole numbers may stand for text and the other way round. */
function keySql(column: string, sqlType: string, type: FieldType): string {
  if (type === 'timestamp') return timeSql(column, sqlType);
  if (type === 'bytes' && sqlType === 'VARCHAR') return `from_base64(${column})`;
  const isInteger = type === 'int32' || type === 'int64';
  const cast = `CAST(${column} AS ${fieldTypeToSql(type)})`;
  // Other tools turn whole numbers into doubles when one is missing.
  if (isInteger && FRACTIONAL.test(sqlType)) {
    return `CASE WHEN ${column} <> trunc(${column}) THEN error('Conversion Error: ' || ${column} || ' is not a whole number') ELSE ${cast} END`;
  }
  const fits =
    sqlType === fieldTypeToSql(type) ||
    (isInteger && (WHOLE.test(sqlType) || sqlType === 'VARCHAR')) ||
    (type === 'string' &&
      (WHOLE.test(sqlType) || sqlType === 'UUID' || sqlType.startsWith('ENUM')));
  if (fits) return cast;
  throw new FreshetError(
    'VALUE_TYPE',
    `column ${column} of the entity rows is ${sqlType}, not ${type}`,
    {
      where: { column: column.slice(1, -1) },
    },
  );
}

async function refuseMissingTime(
  connection: DuckdbConnection,
  table: string,
  column: string,
): Promise<never> {
  const [first] = await connection.query(`SELECT min(rowid) AS id FROM ${table} WHERE q IS NULL`);
  const row = Number(first?.['id']);
  throw new FreshetError('EVENT_TIMESTAMP_MISSING', `entity row ${row} has no "${column}"`, {
    where: { row, column },
    next: 'Give every entity row the time at which its features are wanted.',
  });
}

export function numberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

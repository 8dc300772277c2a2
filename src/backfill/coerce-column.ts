import { elementType, type FieldType } from '../core/field-type.ts';
import { fieldTypeToSql } from '../duckdb/index.ts';

/** A column of a foreign file as a field: SQL over the column. */
export interface ColumnCoercion {
  /** The value; null where there is none. Where `isBad` holds it means nothing. */
  readonly value: string;
  /** True where there is a value that the field cannot hold; null: never. */
  readonly isBad: string | null;
}

const WHOLE = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const FRACTION = /^(FLOAT|DOUBLE)$/;
const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;
const LIST = /^(.*)\[\d*\]$/s;
const NESTED = /^(STRUCT|MAP|UNION)\(|\[\d*\]$/s;
const TIMES: ReadonlySet<string> = new Set([
  'TIMESTAMP',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'TIMESTAMP WITH TIME ZONE',
  'DATE',
]);
const NANOSECONDS: ReadonlySet<string> = new Set(['TIMESTAMP_NS', 'TIMESTAMPTZ_NS']);
/** Whole numbers that a double holds exactly, and microseconds that are whole numbers of a double. */
const DOUBLE_WHOLE_MAX = 2 ** 53 - 1;
const FLOAT_WHOLE_MAX = 2 ** 24;
/** Text of a whole number; zeros behind the point are what pandas makes of a column with nulls. */
const WHOLE_TEXT = String.raw`\s*[+-]?[0-9]+(\.0*)?\s*`;
const JSON_TEXT = String.raw`"(\\.|[^"\\])*"`;

/**
 * What of a column of a SQL type a field can hold, value by value: nothing is rounded but doubles to
 * float32 and nanoseconds, which are cut to microseconds. Null when no value of the type can be held.
 */
export function coerceColumn(
  column: string,
  sqlType: string,
  type: FieldType,
): ColumnCoercion | null {
  const element = elementType(type);
  if (element !== null) return toList(column, sqlType, type, element);
  switch (type) {
    case 'json':
      return toJson(column, sqlType);
    case 'string':
      return toText(column, sqlType);
    case 'bytes':
      return sqlType === 'BLOB' ? exact(column) : null;
    case 'bool':
      return toBool(column, sqlType);
    case 'timestamp':
      return toTimestamp(column, sqlType);
    case 'int32':
    case 'int64':
      return toWhole(column, sqlType, type);
    case 'float32':
    case 'float64':
      return toFraction(column, sqlType, type);
    default:
      return null;
  }
}

function exact(value: string): ColumnCoercion {
  return { value, isBad: null };
}

/** A value whose absence, where the column has one, is a fault. */
function orBad(column: string, value: string): ColumnCoercion {
  return { value, isBad: `(${column} IS NOT NULL AND (${value}) IS NULL)` };
}

function tryCast(expression: string, type: FieldType): string {
  return `TRY_CAST(${expression} AS ${fieldTypeToSql(type)})`;
}

/** A cast, whose failure is a bad value. */
function tried(column: string, type: FieldType): ColumnCoercion {
  return orBad(column, tryCast(column, type));
}

function checked({ value, isBad }: ColumnCoercion, condition: string): ColumnCoercion {
  return { value, isBad: isBad === null ? `(${condition})` : `(${isBad} OR ${condition})` };
}

/** Elements are never null: one that cannot be held, or is none, makes the list a bad value. */
function toList(
  column: string,
  sqlType: string,
  type: FieldType,
  element: FieldType,
): ColumnCoercion | null {
  const sqlElement = LIST.exec(sqlType)?.[1];
  const coercion = sqlElement === undefined ? null : coerceColumn('x', sqlElement, element);
  if (coercion === null) return null;
  const { value, isBad } = coercion;
  const item = isBad === null ? value : `CASE WHEN ${isBad} THEN NULL ELSE ${value} END`;
  const list = item === 'x' ? column : `list_transform(${column}, lambda x: ${item})`;
  const cast = `CAST(${list} AS ${fieldTypeToSql(type)})`;
  return { value: cast, isBad: `list_count(${cast}) <> len(${cast})` };
}

function toJson(column: string, sqlType: string): ColumnCoercion | null {
  if (NESTED.test(sqlType)) return strictJson(`CAST(to_json(${column}) AS VARCHAR)`);
  if (sqlType !== 'VARCHAR' && sqlType !== 'JSON') return null;
  // Made anew: DuckDB takes a comma at the end of a list, which JSON does not have.
  const { value, isBad } = orBad(column, `TRY(CAST(json(${column}) AS VARCHAR))`);
  return checked({ value, isBad }, strictJson(value).isBad as string);
}

/** DuckDB writes and takes NaN and Infinity, which JSON does not have; in a text they may stand. */
function strictJson(text: string): ColumnCoercion {
  const outside = `regexp_replace(${text}, '${JSON_TEXT}', '', 'g')`;
  const mayBe = `regexp_matches(${text}, '(?i)nan|inf')`;
  return { value: text, isBad: `(${mayBe} AND regexp_matches(${outside}, '(?i)nan|inf'))` };
}

function toText(column: string, sqlType: string): ColumnCoercion | null {
  if (sqlType === 'VARCHAR') return exact(column);
  // Writers of old did not say which bytes are text.
  if (sqlType === 'BLOB') return orBad(column, `TRY(decode(${column}))`);
  const isText = ['UUID', 'BOOLEAN'].includes(sqlType) || sqlType.startsWith('ENUM(');
  return isText || WHOLE.test(sqlType) ? exact(`CAST(${column} AS VARCHAR)`) : null;
}

function toBool(column: string, sqlType: string): ColumnCoercion | null {
  if (sqlType === 'BOOLEAN') return exact(column);
  if (WHOLE.test(sqlType)) return checked(tried(column, 'bool'), `${column} NOT IN (0, 1)`);
  return sqlType === 'VARCHAR' ? tried(column, 'bool') : null;
}

/** Times of the years 1685 to 2254: microseconds are whole numbers of a double. */
function toTimestamp(column: string, sqlType: string): ColumnCoercion | null {
  const first = `make_timestamp(${-DOUBLE_WHOLE_MAX})`;
  const last = `make_timestamp(${DOUBLE_WHOLE_MAX})`;
  const within = (time: string): ColumnCoercion =>
    orBad(column, `CASE WHEN ${time} BETWEEN ${first} AND ${last} THEN ${time} END`);
  if (TIMES.has(sqlType)) return within(tryCast(column, 'timestamp'));
  if (NANOSECONDS.has(sqlType)) {
    const ns = `epoch_ns(${column})`;
    const us = `make_timestamp((${ns} - ((${ns} % 1000) + 1000) % 1000) // 1000)`;
    return within(`CASE WHEN isfinite(${column}) THEN ${us} END`);
  }
  // With a zone, text is that instant; without one it is UTC.
  const instant = `TRY_CAST(${column} AS TIMESTAMPTZ)`;
  return sqlType === 'VARCHAR' ? within(tryCast(instant, 'timestamp')) : null;
}

function toWhole(column: string, sqlType: string, type: 'int32' | 'int64'): ColumnCoercion | null {
  const cast = tried(column, type);
  if (WHOLE.test(sqlType) || sqlType === 'BOOLEAN') return cast;
  // The cast of a text rounds.
  if (sqlType === 'VARCHAR') {
    return checked(cast, `NOT regexp_full_match(${column}, '${WHOLE_TEXT}')`);
  }
  if (FRACTION.test(sqlType) || DECIMAL.test(sqlType)) {
    return checked(cast, `${column} <> trunc(${column})`);
  }
  return null;
}

function toFraction(
  column: string,
  sqlType: string,
  type: 'float32' | 'float64',
): ColumnCoercion | null {
  const cast = tried(column, type);
  if (FRACTION.test(sqlType) || sqlType === 'VARCHAR') return cast;
  if (WHOLE.test(sqlType)) {
    const max = type === 'float64' ? DOUBLE_WHOLE_MAX : FLOAT_WHOLE_MAX;
    return checked(cast, `${column} NOT BETWEEN -${max} AND ${max}`);
  }
  if (DECIMAL.test(sqlType)) return checked(cast, `CAST(${cast.value} AS ${sqlType}) <> ${column}`);
  return null;
}

import { elementType, type FieldType } from '../core/field-type.ts';
import { fieldTypeToSql } from '../duckdb/index.ts';

/** A column of a foreign file as a field: SQL over the column. */
export interface ColumnCoercion {
  /** The value; null where there is none, and where it cannot be had. */
  readonly value: string;
  /** True where there is a value that the field cannot hold; null: never. */
  readonly isBad: string | null;
}

const WHOLE = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const FRACTION = /^(FLOAT|DOUBLE)$/;
const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;
const NESTED = /^(STRUCT|MAP|UNION)\(|\[\d*\]$/;
const TIMES: ReadonlySet<string> = new Set([
  'TIMESTAMP',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'TIMESTAMP WITH TIME ZONE',
  'DATE',
]);
const NANOSECONDS: ReadonlySet<string> = new Set(['TIMESTAMP_NS', 'TIMESTAMPTZ_NS']);
/** Whole numbers that a double holds exactly. */
const DOUBLE_WHOLE_MAX = 2 ** 53 - 1;
const FLOAT_WHOLE_MAX = 2 ** 24;

/**
 * What of a column of a SQL type a field can hold, value by value: nothing is rounded but doubles to
 * float32 and nanoseconds, which are cut to microseconds. Null when no value of the type can be held.
 */
export function coerceColumn(
  column: string,
  sqlType: string,
  type: FieldType,
): ColumnCoercion | null {
  if (sqlType === fieldTypeToSql(type) && type !== 'json') return exact(column);
  if (elementType(type) !== null) {
    return /\[\d*\]$/.test(sqlType) ? tried(column, type) : null;
  }
  switch (type) {
    case 'json':
      return toJson(column, sqlType);
    case 'string':
      return toText(column, sqlType);
    case 'bool':
      if (WHOLE.test(sqlType)) return checked(tried(column, type), `${column} NOT IN (0, 1)`);
      return sqlType === 'VARCHAR' ? tried(column, type) : null;
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

/** A cast, whose failure is a bad value. */
function tried(column: string, type: FieldType, from = column): ColumnCoercion {
  const value = `TRY_CAST(${from} AS ${fieldTypeToSql(type)})`;
  return { value, isBad: `(${column} IS NOT NULL AND ${value} IS NULL)` };
}

function checked({ value, isBad }: ColumnCoercion, condition: string): ColumnCoercion {
  return { value, isBad: isBad === null ? `(${condition})` : `(${isBad} OR ${condition})` };
}

function toJson(column: string, sqlType: string): ColumnCoercion | null {
  if (NESTED.test(sqlType)) return exact(`CAST(to_json(${column}) AS VARCHAR)`);
  if (sqlType === 'JSON') return exact(`CAST(${column} AS VARCHAR)`);
  return sqlType === 'VARCHAR' ? { value: column, isBad: `NOT json_valid(${column})` } : null;
}

function toText(column: string, sqlType: string): ColumnCoercion | null {
  const isText = ['UUID', 'BOOLEAN'].includes(sqlType) || sqlType.startsWith('ENUM(');
  return isText || WHOLE.test(sqlType) ? exact(`CAST(${column} AS VARCHAR)`) : null;
}

function toTimestamp(column: string, sqlType: string): ColumnCoercion | null {
  if (TIMES.has(sqlType)) return exact(`CAST(${column} AS TIMESTAMP)`);
  if (NANOSECONDS.has(sqlType)) {
    const ns = `epoch_ns(${column})`;
    return exact(`make_timestamp((${ns} - ((${ns} % 1000) + 1000) % 1000) // 1000)`);
  }
  // With a zone, text is that instant; without one it is UTC.
  return sqlType === 'VARCHAR'
    ? tried(column, 'timestamp', `TRY_CAST(${column} AS TIMESTAMPTZ)`)
    : null;
}

function toWhole(column: string, sqlType: string, type: 'int32' | 'int64'): ColumnCoercion | null {
  const cast = tried(column, type);
  if (WHOLE.test(sqlType) || sqlType === 'VARCHAR' || sqlType === 'BOOLEAN') return cast;
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

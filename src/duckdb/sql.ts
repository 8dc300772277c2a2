import { elementType, type FieldType, type FieldValue } from '../core/field-type.ts';

/** A name as SQL reads it, whatever it contains. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL reads it, whatever it contains. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A value of a scalar field type as SQL reads it. */
export function fieldLiteral(type: FieldType, value: FieldValue): string {
  if (value === null) return 'NULL';
  switch (type) {
    case 'string':
    case 'json':
      return quoteLiteral(String(value));
    case 'timestamp':
      return `make_timestamp(${String(value)})`;
    case 'bytes':
      return `from_hex('${Buffer.from(value as Uint8Array).toString('hex')}')`;
    default:
      return String(value);
  }
}

/** The column type that keeps a field type without loss; json is kept as its canonical text. */
export function fieldTypeToSql(type: FieldType): string {
  const element = elementType(type);
  return element === null ? (SQL_TYPES[type] as string) : `${SQL_TYPES[element]}[]`;
}

/** The field type that a SQL type as DESCRIBE writes it is kept in; null when none holds it exactly. */
export function sqlToFieldType(sqlType: string): FieldType | null {
  if (sqlType.endsWith('[]')) {
    const element = FIELD_TYPES[sqlType.slice(0, -2)];
    return element === undefined || element === 'json' ? null : (`${element}[]` as FieldType);
  }
  return FIELD_TYPES[sqlType] ?? null;
}

const SQL_TYPES: Readonly<Record<string, string>> = {
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  string: 'VARCHAR',
  bool: 'BOOLEAN',
  bytes: 'BLOB',
  timestamp: 'TIMESTAMP',
  json: 'VARCHAR',
};

const FIELD_TYPES: Readonly<Record<string, FieldType>> = {
  TINYINT: 'int32',
  SMALLINT: 'int32',
  INTEGER: 'int32',
  UTINYINT: 'int32',
  USMALLINT: 'int32',
  UINTEGER: 'int64',
  BIGINT: 'int64',
  FLOAT: 'float32',
  DOUBLE: 'float64',
  VARCHAR: 'string',
  UUID: 'string',
  JSON: 'json',
  BOOLEAN: 'bool',
  BLOB: 'bytes',
  DATE: 'timestamp',
  TIMESTAMP: 'timestamp',
  TIMESTAMP_S: 'timestamp',
  TIMESTAMP_MS: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamp',
};

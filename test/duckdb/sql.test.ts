import { describe, expect, it } from 'vitest';
import {
  fieldTypeToSql,
  quoteIdentifier,
  quoteLiteral,
  sqlToFieldType,
} from '../../src/duckdb/index.ts';

describe('SQL text', () => {
  it('quotes names and texts, whatever they contain', () => {
    expect(quoteIdentifier('a "b"')).toBe('"a ""b"""');
    expect(quoteLiteral("it's")).toBe("'it''s'");
  });

  it('has a type for every field type that comes back as the same field type', () => {
    const scalars = [
      'int32',
      'int64',
      'float32',
      'float64',
      'string',
      'bool',
      'bytes',
      'timestamp',
    ];
    const types = [...scalars, ...scalars.map((type) => `${type}[]`)];
    for (const type of types) {
      expect(sqlToFieldType(fieldTypeToSql(type as 'int32'))).toBe(type);
    }
    expect(fieldTypeToSql('json')).toBe('VARCHAR');
  });

  it('has no field type for what none holds exactly', () => {
    for (const sqlType of [
      'HUGEINT',
      'DECIMAL(9,2)',
      'STRUCT(a INTEGER)',
      'INTEGER[][]',
      'JSON[]',
    ]) {
      expect(sqlToFieldType(sqlType)).toBeNull();
    }
  });
});

export type { ColumnAppender } from './appender.ts';
export type { ColumnChunk } from './column-chunk.ts';
export {
  type Duckdb,
  type DuckdbConnection,
  type DuckdbOptions,
  openDuckdb,
  type SqlParameter,
  type SqlRow,
} from './duckdb.ts';
export {
  fieldLiteral,
  fieldTypeToSql,
  quoteIdentifier,
  quoteLiteral,
  sqlToFieldType,
} from './sql.ts';

/** Rows of Parquet and CSV, through DuckDB. A CSV is read as text, so that `007` stays a name. */
import type { FieldType, Schema } from '../core/field-type.ts';
import { didYouMean } from '../core/nearest.ts';
import { type Column, columnValue } from '../core/row-batch.ts';
import type { TopicSource } from '../definition/index.ts';
import {
  type ColumnChunk,
  type DuckdbConnection,
  quoteIdentifier,
  quoteLiteral,
} from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import type { RowReject } from './feature-producer.ts';
import type { RowReader, RowsRead } from './row-reader.ts';
import { textValueOf } from './text-value.ts';

export interface TableInput {
  readonly duckdb: DuckdbConnection;
  readonly source: TopicSource<Schema>;
  readonly columnMap: Readonly<Record<string, string>>;
  readonly format: 'parquet' | 'csv';
  readonly path: string;
}

/**
 * The file's rows in its order.
 * @throws FreshetError COLUMN_MISSING for a field without a column, and as `src/duckdb` maps a file
 *   that is not there or not what it should be
 */
export async function readTable(input: TableInput): Promise<RowReader> {
  const { duckdb, source, format, path } = input;
  const table =
    format === 'parquet'
      ? `read_parquet(${quoteLiteral(path)})`
      : `read_csv(${quoteLiteral(path)}, header = true, all_varchar = true)`;
  const described = await duckdb.query(`DESCRIBE SELECT * FROM ${table}`);
  const columns = described.map((column) => column['column_name'] as string);
  const fields = Object.entries(source.schema);
  const selected = fields.map(
    ([field]) => `${quoteIdentifier(columnOf(input, field, columns))} AS ${quoteIdentifier(field)}`,
  );
  const [counted] = format === 'parquet' ? await duckdb.query(countSql(table)) : [];
  return {
    rowsTotal: counted === undefined ? null : Number(counted['rows']),
    batches: readBatches(duckdb.stream(`SELECT ${selected.join(', ')} FROM ${table}`), fields),
  };
}

function countSql(table: string): string {
  return `SELECT count(*) AS rows FROM ${table}`;
}

function columnOf(input: TableInput, field: string, columns: readonly string[]): string {
  const column = input.columnMap[field] ?? field;
  if (columns.includes(column)) return column;
  throw new FreshetError(
    'COLUMN_MISSING',
    `no column "${column}" for the field "${field}". ${didYouMean(column, columns)}`,
    { where: { file: input.path, source: input.source.name, column } },
  );
}

async function* readBatches(
  chunks: AsyncIterable<ColumnChunk>,
  fields: readonly (readonly [string, FieldType])[],
): AsyncIterable<RowsRead> {
  let rowsBefore = 0;
  for await (const chunk of chunks) {
    const read = fields.map(([name, type], i) => fieldReader(name, type, chunk.column(i)));
    yield rowsOf(chunk.rowCount, rowsBefore + 1, read);
    rowsBefore += chunk.rowCount;
  }
}

/** Sets a field of a row object to the value in row i. */
type FieldReader = (row: Record<string, unknown>, i: number) => void;

function fieldReader(name: string, type: FieldType, column: Column): FieldReader {
  const needsParsing = column.type === 'string' && type !== 'string';
  if (!needsParsing) {
    return (row, i) => {
      row[name] = columnValue(column, i);
    };
  }
  const parse = textValueOf(type);
  return (row, i) => {
    const text = columnValue(column, i) as string | null;
    row[name] = text === null ? null : parse(text);
  };
}

function rowsOf(count: number, firstNumber: number, read: readonly FieldReader[]): RowsRead {
  const rows: Record<string, unknown>[] = [];
  const numbers: number[] = [];
  const rejects: RowReject[] = [];
  for (let i = 0; i < count; i++) {
    const row: Record<string, unknown> = {};
    try {
      for (const readField of read) readField(row, i);
      rows.push(row);
      numbers.push(firstNumber + i);
    } catch (thrown) {
      if (!(thrown instanceof FreshetError)) throw thrown;
      rejects.push({ index: firstNumber + i, code: 'ROW_TYPE', reason: thrown.message });
    }
  }
  return { rows, numbers, rejects };
}

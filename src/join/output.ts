import type { FieldType, FieldValue, JsonValue } from '../core/field-type.ts';
import { type Column, columnValue } from '../core/row-batch.ts';
import type { ColumnChunk } from '../duckdb/index.ts';

/** A column of the answer, and the SQL that reads it from the joined tables. */
export interface OutputColumn {
  readonly name: string;
  readonly from: 'entity' | 'feature';
  /** Null: what DuckDB made of the file that the entity rows came from. */
  readonly type: FieldType | null;
  readonly sql: string;
}

/** Some rows of the answer, column by column. */
export interface HistoricalChunk {
  readonly names: readonly string[];
  readonly types: readonly FieldType[];
  readonly rowCount: number;
  column(index: number): Column;
}

/** A chunk of the joined tables under the names of the answer; json is text in the tables. */
export function historicalChunk(
  chunk: ColumnChunk,
  columns: readonly OutputColumn[],
): HistoricalChunk {
  const types = columns.map(({ type }, c) => type ?? (chunk.types[c] as FieldType));
  return {
    names: columns.map(({ name }) => name),
    types,
    rowCount: chunk.rowCount,
    column: (index) =>
      types[index] === 'json' ? parseJson(chunk.column(index)) : chunk.column(index),
  };
}

export function rowsOfChunk(chunk: HistoricalChunk): Record<string, FieldValue>[] {
  const columns = chunk.names.map((_, c) => chunk.column(c));
  const rows: Record<string, FieldValue>[] = new Array(chunk.rowCount);
  for (let i = 0; i < chunk.rowCount; i++) {
    const row: Record<string, FieldValue> = {};
    for (let c = 0; c < columns.length; c++) {
      row[chunk.names[c] as string] = columnValue(columns[c] as Column, i);
    }
    rows[i] = row;
  }
  return rows;
}

/** Values of one column as an array. */
export function valuesOf(column: Column, count: number): FieldValue[] {
  const values: FieldValue[] = new Array(count);
  for (let i = 0; i < count; i++) values[i] = columnValue(column, i);
  return values;
}

export function parseJson(column: Column): Column {
  const texts = column.values as readonly (string | null)[];
  const values = Array.from(
    column.valid,
    (valid, i): FieldValue => (valid === 0 ? null : (JSON.parse(texts[i] as string) as JsonValue)),
  );
  return { type: 'json', values, valid: column.valid };
}

import { coercerOf } from '../../src/core/coerce.ts';
import type { FieldValue, Schema } from '../../src/core/field-type.ts';
import { makeColumn, type RowBatch, type RowLayout, rowLayout } from '../../src/core/row-batch.ts';
import { NO_CREATED_TIME_US } from '../../src/core/row-order.ts';

/** A row for tests: its place in the log and its fields. */
export interface TestRow {
  readonly at: number;
  readonly created?: number;
  readonly offset?: number;
  readonly [field: string]: unknown;
}

/** A batch of rows; offsets count up from `firstOffset` where a row names none. */
export function makeRows(
  schema: Schema | RowLayout,
  rows: readonly TestRow[],
  firstOffset = 0,
): RowBatch {
  const layout = 'names' in schema ? (schema as RowLayout) : rowLayout(schema as Schema);
  const count = rows.length;
  const columns = layout.names.map((name, c) => {
    const type = layout.types[c]!;
    const column = makeColumn(type, count);
    const coerce = coercerOf(type);
    rows.forEach((row, i) => {
      const value = coerce(row[name]);
      column.valid[i] = value === null ? 0 : 1;
      if (value !== null)
        (column.values as FieldValue[])[i] = type === 'bool' ? Number(value) : value;
    });
    return column;
  });
  return {
    layout,
    count,
    columns,
    offsets: Float64Array.from(rows, (row, i) => row.offset ?? firstOffset + i),
    eventTimesUs: Float64Array.from(rows, ({ at }) => at),
    createdTimesUs: Float64Array.from(rows, ({ created }) => created ?? NO_CREATED_TIME_US),
    arrivalTimesUs: Float64Array.from(rows, ({ at }) => at),
  };
}

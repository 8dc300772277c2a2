import { coercerOf, keyCoercerOf } from '../core/coerce.ts';
import type { FieldType, FieldValue, Schema } from '../core/field-type.ts';
import { type Column, makeColumn, type RowBatch, rowLayout } from '../core/row-batch.ts';
import { NO_CREATED_TIME_US, RANK_BATCH } from '../core/row-order.ts';
import type { FeatureView, ParquetSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch } from '../kv/index.ts';
import { createUpserter } from '../online/index.ts';
import type { StateStore } from '../state/index.ts';

type InputRow = Readonly<Record<string, unknown>>;

/**
 * Puts rows into the online store as rows of the batch history of views, in one write: newer rows
 * win as always. At equal times a later call wins; `nowUs` numbers the rows. A feature that no row
 * has stays absent.
 * @throws FreshetError ROW_KEY_NULL, ROW_TIME_NULL, ROW_TYPE naming row and column: nothing is written
 */
export async function writeRows(
  state: StateStore,
  views: readonly FeatureView[],
  source: ParquetSource,
  rows: readonly InputRow[],
  nowUs: number,
): Promise<void> {
  if (rows.length === 0) return;
  const present = new Set(rows.flatMap((row) => Object.keys(row)));
  const schema = Object.fromEntries(
    Object.entries(source.schema).filter(([name]) => present.has(name)),
  );
  const batches = views.map((view) => toRowBatch(view, source, schema, rows, nowUs));
  const sourceId = await state.dictionary.ensureSource(source.name);
  const into = new KvBatch();
  for (const [i, view] of views.entries()) {
    const batch = batches[i] as RowBatch;
    const options = { state, view, sourceId, layout: batch.layout, partitions: 1 };
    const upserter = await createUpserter(options);
    await upserter.upsert(batch, { partition: 0, rank: RANK_BATCH }, into);
  }
  await state.kv.write(into);
}

function toRowBatch(
  view: FeatureView,
  source: ParquetSource,
  schema: Schema,
  rows: readonly InputRow[],
  nowUs: number,
): RowBatch {
  const layout = rowLayout(schema);
  const columns = layout.names.map((name, c) =>
    toColumn(view, name, layout.types[c] as FieldType, rows),
  );
  requireValues(view, columns, layout.names, Object.keys(view.joinKeys), 'ROW_KEY_NULL');
  requireValues(view, columns, layout.names, [source.timestampField], 'ROW_TIME_NULL');
  const times = columns[layout.names.indexOf(source.timestampField)] as Column;
  const created = columns[layout.names.indexOf(source.createdTimestampField ?? '')];
  return {
    layout,
    count: rows.length,
    columns,
    offsets: Float64Array.from(rows, (_, i) => nowUs + i),
    eventTimesUs: times.values as Float64Array,
    createdTimesUs: Float64Array.from(rows, (_, i) =>
      created === undefined || created.valid[i] === 0
        ? NO_CREATED_TIME_US
        : (created.values[i] as number),
    ),
    arrivalTimesUs: new Float64Array(rows.length).fill(nowUs),
  };
}

function toColumn(
  view: FeatureView,
  name: string,
  type: FieldType,
  rows: readonly InputRow[],
): Column {
  const coerce = Object.hasOwn(view.joinKeys, name) ? keyCoercerOf(type) : coercerOf(type);
  const column = makeColumn(type, rows.length);
  const values = column.values as FieldValue[];
  for (const [i, row] of rows.entries()) {
    try {
      const value = coerce(row[name]);
      if (value === null) continue;
      column.valid[i] = 1;
      values[i] = type === 'bool' ? Number(value) : value;
    } catch (thrown) {
      if (!(thrown instanceof FreshetError)) throw thrown;
      throw new FreshetError('ROW_TYPE', `row ${i}, column "${name}": ${thrown.message}`, {
        where: { view: view.name, row: i, column: name },
        cause: thrown,
      });
    }
  }
  return column;
}

function requireValues(
  view: FeatureView,
  columns: readonly Column[],
  names: readonly string[],
  required: readonly string[],
  code: 'ROW_KEY_NULL' | 'ROW_TIME_NULL',
): void {
  for (const name of required) {
    const column = columns[names.indexOf(name)];
    const row = column === undefined ? 0 : column.valid.indexOf(0);
    if (row === -1) continue;
    throw new FreshetError(code, `row ${row} of view "${view.name}" has no "${name}"`, {
      where: { view: view.name, row, column: name },
    });
  }
}

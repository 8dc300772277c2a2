import { type Column, type RowBatch, rowLayout } from '../core/row-batch.ts';
import { NO_CREATED_TIME_US } from '../core/row-order.ts';
import { formatTimestampUs } from '../core/time.ts';
import type { ParquetSource } from '../definition/index.ts';
import {
  type ColumnChunk,
  type DuckdbConnection,
  quoteIdentifier,
  quoteLiteral,
} from '../duckdb/index.ts';
import type { ParquetRelation } from './parquet-relation.ts';
import { typedColumn } from './typed-column.ts';

export interface StreamBatchesOptions {
  /** Rows with an event time at or after this. Default: all. */
  readonly fromUs?: number;
  /** Rows with an event time before this. Default: all. */
  readonly toUs?: number;
  /** Columns to order by. Default: the order of files and rows. */
  readonly orderBy?: readonly string[];
}

/**
 * Rows of a Parquet source as batches; offsets are those of the relation, and rise where no other
 * order is asked for. A row without an event time has no place in time and is left out, as the
 * historical join leaves it out.
 * @throws FreshetError VALUE_TYPE for a json field that is not JSON, or a null array element
 */
export async function* streamBatches(
  duckdb: DuckdbConnection,
  relation: ParquetRelation,
  source: ParquetSource,
  options: StreamBatchesOptions = {},
): AsyncIterable<RowBatch> {
  const layout = rowLayout(source.schema);
  const eventTime = layout.index.get(source.timestampField) as number;
  const createdTime =
    source.createdTimestampField === null
      ? null
      : (layout.index.get(source.createdTimestampField) as number);
  const order = options.orderBy?.map(quoteIdentifier).join(', ') ?? '';
  const sql =
    `SELECT * FROM (${relation.sql}) WHERE ${timeCondition(source, options)}` +
    (order === '' ? '' : ` ORDER BY ${order}`);
  for await (const chunk of duckdb.stream(sql)) {
    const columns = layout.types.map((type, c) =>
      typedColumn(chunk.column(c), type, layout.names[c]!),
    );
    yield {
      layout,
      count: chunk.rowCount,
      columns,
      offsets: Float64Array.from(systemColumn(chunk, '_offset') as BigInt64Array, Number),
      eventTimesUs: columns[eventTime]?.values as Float64Array,
      createdTimesUs:
        createdTime === null
          ? new Float64Array(chunk.rowCount).fill(NO_CREATED_TIME_US)
          : createdTimes(columns[createdTime] as Column),
      arrivalTimesUs: systemColumn(chunk, '_arrival') as Float64Array,
    };
  }
}

function timeCondition(source: ParquetSource, { fromUs, toUs }: StreamBatchesOptions): string {
  const column = quoteIdentifier(source.timestampField);
  const conditions = [`${column} IS NOT NULL`];
  if (fromUs !== undefined) conditions.push(`${column} >= ${timestampLiteral(fromUs)}`);
  if (toUs !== undefined) conditions.push(`${column} < ${timestampLiteral(toUs)}`);
  return conditions.join(' AND ');
}

function timestampLiteral(us: number): string {
  return `TIMESTAMP ${quoteLiteral(formatTimestampUs(us).replace('Z', ''))}`;
}

function systemColumn(chunk: ColumnChunk, name: string): Column['values'] {
  return chunk.column(chunk.names.indexOf(name)).values;
}

function createdTimes({ values, valid }: Column): Float64Array {
  return (values as Float64Array).map((us, i) => (valid[i] === 0 ? NO_CREATED_TIME_US : us));
}

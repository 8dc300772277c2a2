import { type Column, type RowBatch, rowLayout } from '../core/row-batch.ts';
import { NO_CREATED_TIME_US } from '../core/row-order.ts';
import type { TopicSource } from '../definition/index.ts';
import type { DuckdbConnection } from '../duckdb/index.ts';
import type { FilePaths } from './file-store.ts';
import { byRange } from './manifest.ts';
import type { SegmentEntry } from './segment-entry.ts';
import { segmentRelation } from './segment-relation.ts';
import { typedColumn } from './typed-column.ts';

/** Rows of segments as the engine had them. */
export interface SegmentRows {
  readonly rows: RowBatch;
  /** By row, microseconds. */
  readonly lateByUs: Float64Array;
}

/** The rows of one partition's segments in offset order, range by range. */
export async function* streamSegments(
  duckdb: DuckdbConnection,
  files: FilePaths,
  entries: readonly SegmentEntry[],
  source: TopicSource,
): AsyncGenerator<SegmentRows> {
  const layout = rowLayout(source.schema);
  // Files of one range hold its offsets interleaved.
  for (const range of byRange(entries.filter(({ file }) => file !== null))) {
    const relation = segmentRelation(files, range, source);
    const sql =
      'SELECT * REPLACE (_offset::DOUBLE AS _offset, _late::DOUBLE AS _late) ' +
      `FROM (${relation}) ORDER BY _offset`;
    for await (const chunk of duckdb.stream(sql)) {
      const columns = layout.types.map((type, c) =>
        typedColumn(
          chunk.column(chunk.names.indexOf(layout.names[c] as string)),
          type,
          layout.names[c] as string,
        ),
      );
      const numbers = (name: string): Float64Array =>
        chunk.column(chunk.names.indexOf(name)).values as Float64Array;
      const eventTime = columns[layout.index.get(source.timestampField) as number] as Column;
      const rows: RowBatch = {
        layout,
        count: chunk.rowCount,
        columns,
        offsets: numbers('_offset'),
        eventTimesUs: eventTime.values as Float64Array,
        createdTimesUs: createdTimes(source, layout.index, columns, chunk.rowCount),
        arrivalTimesUs: numbers('_arrival'),
      };
      yield { rows, lateByUs: numbers('_late') };
    }
  }
}

function createdTimes(
  { createdTimestampField }: TopicSource,
  index: ReadonlyMap<string, number>,
  columns: readonly Column[],
  count: number,
): Float64Array {
  if (createdTimestampField === null) return new Float64Array(count).fill(NO_CREATED_TIME_US);
  const { values, valid } = columns[index.get(createdTimestampField) as number] as Column;
  return (values as Float64Array).map((us, i) => (valid[i] === 0 ? NO_CREATED_TIME_US : us));
}

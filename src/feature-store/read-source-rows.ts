import type { FieldValue } from '../core/field-type.ts';
import { columnValue } from '../core/row-batch.ts';
import { type TimestampInput, toTimestampUs } from '../core/time.ts';
import type { FeatureView } from '../definition/index.ts';
import { parquetRelation, streamBatches } from '../segment/index.ts';
import type { Resources } from './resources.ts';

export interface SourceRowsOptions {
  readonly view: string;
  readonly startTime: TimestampInput;
  readonly endTime: TimestampInput;
}

export type SourceRow = Record<string, FieldValue>;

/** The rows of a view's batch history in a range of event time, both ends included; none without one. */
export async function readSourceRows(
  resources: Resources,
  { batchSource }: FeatureView,
  { startTime, endTime }: Omit<SourceRowsOptions, 'view'>,
): Promise<SourceRow[]> {
  if (batchSource === null) return [];
  const duckdb = await resources.duckdb();
  const relation = await parquetRelation(duckdb, batchSource, resources.config.repoDir);
  const range = { fromUs: toTimestampUs(startTime), toUs: toTimestampUs(endTime) + 1 };
  const rows: SourceRow[] = [];
  for await (const batch of streamBatches(duckdb, relation, batchSource, range)) {
    const { names } = batch.layout;
    for (let i = 0; i < batch.count; i++) {
      rows.push(
        Object.fromEntries(names.map((n, c) => [n, columnValue(batch.columns[c] as never, i)])),
      );
    }
  }
  return rows;
}

import { RANK_BATCH, RANK_STREAM } from '../core/row-order.ts';
import type { FeatureView, ParquetSource, TopicSource } from '../definition/index.ts';
import type { DuckdbConnection } from '../duckdb/index.ts';
import { parquetRelation, type SegmentEntry, segmentRelation } from '../segment/index.ts';
import type { RowRelation } from './row-relation.ts';

/** Where the rows of a view are now: one relation for each of its sources. */
export type RowsOf = (view: FeatureView) => Promise<readonly RowRelation[]>;

export interface ViewRowsOptions {
  readonly duckdb: DuckdbConnection;
  /** What the paths of Parquet sources are relative to. */
  readonly baseDirectory: string;
  /** The folder of the segment store. */
  readonly segmentDirectory: string;
  /** The published segments of a source: its entries in the manifest. */
  readonly segmentsOf: (source: TopicSource) => Promise<readonly SegmentEntry[]>;
}

/** The rows of Parquet sources and of published segments. */
export function createRowsOf(options: ViewRowsOptions): RowsOf {
  return async ({ batchSource, streamSource }) => {
    const relations: RowRelation[] = [];
    if (batchSource !== null) relations.push(await batchRows(options, batchSource));
    if (streamSource !== null) relations.push(await streamRows(options, streamSource));
    return relations;
  };
}

/** A row of a batch source arrives when it is created; one whose created time is null never does. */
async function batchRows(options: ViewRowsOptions, source: ParquetSource): Promise<RowRelation> {
  const { sql } = await parquetRelation(options.duckdb, source, options.baseDirectory);
  return {
    sql,
    rank: RANK_BATCH,
    eventTime: source.timestampField,
    createdTime: source.createdTimestampField,
    arrivalTime: source.createdTimestampField ?? source.timestampField,
  };
}

async function streamRows(options: ViewRowsOptions, source: TopicSource): Promise<RowRelation> {
  const entries = await options.segmentsOf(source);
  return {
    sql: segmentRelation(options.segmentDirectory, entries, source),
    rank: RANK_STREAM,
    eventTime: source.timestampField,
    createdTime: source.createdTimestampField,
    arrivalTime: '_arrival',
  };
}

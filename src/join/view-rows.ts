import { relative, resolve } from 'node:path';
import { RANK_BATCH, RANK_STREAM } from '../core/row-order.ts';
import type { FeatureView, ParquetSource, TopicSource } from '../definition/index.ts';
import type { DuckdbConnection } from '../duckdb/index.ts';
import {
  type FilePaths,
  parquetRelation,
  parquetTimes,
  type SegmentEntry,
  segmentRelation,
} from '../segment/index.ts';
import type { TimeBounds } from './join-plan.ts';
import type { RowRelation } from './row-relation.ts';

/** By topic, an offset of each partition: rows from there on are not known yet. */
export type KnownAtOffsets = Readonly<Record<string, readonly number[]>>;

/** By Parquet source, the files whose rows are known; others are not known yet. */
export type KnownAtFiles = Readonly<Record<string, readonly string[]>>;

/** History as it was at a moment. Default: all that there is, and of a topic or source that it lacks. */
export interface KnownHistory {
  readonly offsets?: KnownAtOffsets | undefined;
  readonly files?: KnownAtFiles | undefined;
}

/** Where the rows of a view are now: one relation for each of its sources. */
export type RowsOf = (view: FeatureView, known?: KnownHistory) => Promise<readonly RowRelation[]>;

export interface ViewRowsOptions {
  readonly duckdb: DuckdbConnection;
  /** What the paths of Parquet sources are relative to. */
  readonly baseDirectory: string;
  /** Where the segments lie. */
  readonly segmentFiles: FilePaths;
  /** The published segments of a source: its entries in the manifest. */
  readonly segmentsOf: (source: TopicSource) => Promise<readonly SegmentEntry[]>;
}

/** The rows of Parquet sources and of published segments. */
export function createRowsOf(options: ViewRowsOptions): RowsOf {
  return async ({ batchSource, streamSource }, { offsets = {}, files = {} } = {}) => {
    const relations: RowRelation[] = [];
    if (batchSource !== null) relations.push(await batchRows(options, batchSource, files));
    if (streamSource !== null) relations.push(await streamRows(options, streamSource, offsets));
    return relations;
  };
}

/** A row of a batch source arrives when it is created; one whose created time is null never does. */
async function batchRows(
  { duckdb, baseDirectory }: ViewRowsOptions,
  source: ParquetSource,
  knownFiles: KnownAtFiles,
): Promise<RowRelation> {
  const only = knownFiles[source.name]?.map((file) => resolve(baseDirectory, file));
  const { sql, files, sqlOf } = await parquetRelation(duckdb, source, baseDirectory, { only });
  // Of one file, row groups are left out where it is read.
  const times = files.length > 1 ? await parquetTimes(duckdb, source, files) : null;
  const within = (bounds: TimeBounds): readonly string[] =>
    files.filter((file) => {
      const known = times?.get(file);
      return known === undefined || meets(bounds, known.minUs, known.maxUs);
    });
  return {
    sqlWithin: (bounds) => (times === null ? sql : sqlOf(within(bounds))),
    filesWithin: (bounds) => ({ read: within(bounds).length, of: files.length }),
    known: { source: source.name, files: files.map((file) => relative(baseDirectory, file)) },
    rank: RANK_BATCH,
    eventTime: source.timestampField,
    createdTime: source.createdTimestampField,
    arrivalTime: source.createdTimestampField ?? source.timestampField,
  };
}

async function streamRows(
  options: ViewRowsOptions,
  source: TopicSource,
  knownAtOffsets: KnownAtOffsets,
): Promise<RowRelation> {
  const all = await options.segmentsOf(source);
  const limits = knownAtOffsets[source.topic];
  const limitOf = (partition: number): number =>
    limits === undefined ? Number.POSITIVE_INFINITY : (limits[partition] ?? 0);
  const entries = all.filter(
    ({ file, partition, startOffset }) => file !== null && startOffset < limitOf(partition),
  );
  const isCut = entries.some(({ partition, endOffset }) => endOffset > limitOf(partition));
  const within = (bounds: TimeBounds): SegmentEntry[] =>
    entries.filter(({ minEventTimeUs, maxEventTimeUs }) =>
      meets(bounds, minEventTimeUs as number, maxEventTimeUs as number),
    );
  return {
    sqlWithin: (bounds) => {
      const rows = segmentRelation(options.segmentFiles, within(bounds), source);
      return isCut ? `SELECT * FROM (${rows}) WHERE ${belowSql(limits ?? [])}` : rows;
    },
    filesWithin: (bounds) => ({ read: within(bounds).length, of: all.filter(isFile).length }),
    known: { topic: source.topic, endOffsets: endOffsets(source, all, limitOf) },
    rank: RANK_STREAM,
    eventTime: source.timestampField,
    createdTime: source.createdTimestampField,
    arrivalTime: '_arrival',
  };
}

function meets({ fromUs, toUs }: TimeBounds, minUs: number, maxUs: number): boolean {
  return (fromUs === null || maxUs >= fromUs) && (toUs === null || minUs <= toUs);
}

function isFile({ file }: SegmentEntry): boolean {
  return file !== null;
}

function belowSql(limits: readonly number[]): string {
  return `_offset < list_extract([${limits.join(', ')}]::BIGINT[], _partition + 1)`;
}

/** The offset behind the last published row of each partition, or the limit where that is lower. */
function endOffsets(
  { partitions }: TopicSource,
  entries: readonly SegmentEntry[],
  limitOf: (partition: number) => number,
): number[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const ends = entries.filter((entry) => entry.partition === partition);
    return Math.min(limitOf(partition), Math.max(0, ...ends.map(({ endOffset }) => endOffset)));
  });
}

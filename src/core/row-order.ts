/**
 * The total order of the rows of one entity (docs/architecture.md, «Time and order»):
 * `(event time, created time, source rank, partition, offset)`, the greatest wins, online and
 * offline alike.
 */
export interface RowOrder {
  readonly eventTimeUs: number;
  /** The created time, or `NO_CREATED_TIME_US` where the source has none or the row's is null. */
  readonly createdTimeUs: number;
  readonly rank: SourceRank;
  readonly partition: number;
  readonly offset: number;
}

/** Backfill ranks below the stream: at a full tie the streamed row wins. */
export type SourceRank = typeof RANK_BATCH | typeof RANK_STREAM;
export const RANK_BATCH = 0;
export const RANK_STREAM = 1;

/** Orders before every real created time. */
export const NO_CREATED_TIME_US = -Number.MAX_SAFE_INTEGER;

/** Negative when `a` orders before `b`, positive when after, 0 for the same row. */
export function compareRowOrder(a: RowOrder, b: RowOrder): number {
  return (
    a.eventTimeUs - b.eventTimeUs ||
    a.createdTimeUs - b.createdTimeUs ||
    a.rank - b.rank ||
    a.partition - b.partition ||
    a.offset - b.offset
  );
}

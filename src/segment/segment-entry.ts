import type { FieldType } from '../core/field-type.ts';

/** What the manifest knows about one segment. */
export interface SegmentEntry {
  /** Relative to the folder of the store, with forward slashes; null when the cut has no rows. */
  readonly file: string | null;
  readonly source: string;
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number;
  /** The offset after the last one of the cut; there may be holes. */
  readonly endOffset: number;
  readonly rowCount: number;
  readonly bytes: number;
  /** Null when the cut has no rows, here and below. */
  readonly minEventTimeUs: number | null;
  readonly maxEventTimeUs: number | null;
  readonly minArrivalTimeUs: number | null;
  readonly maxArrivalTimeUs: number | null;
  /** The greatest `_late`; a view with at least this grace has no late row here. */
  readonly maxLateUs: number | null;
  /** Names and types of the source's fields: files of one fingerprint have the same columns. */
  readonly fingerprint: string;
  /** `content-hash.ts` */
  readonly contentHash: string;
  readonly columns: readonly SegmentColumn[];
  readonly createdAtMs: number;
  /** Only of a file that was made of others. */
  readonly rewrite?: SegmentRewrite;
}

/** Which of the files that took the place of a range's earlier ones this is. */
export interface SegmentRewrite {
  /** One above that of any file it was made of; files of a cut have 0. */
  readonly generation: number;
  /** From 0, by event time; `parts` files have the rows of the range. */
  readonly part: number;
  readonly parts: number;
}

export interface SegmentColumn {
  readonly name: string;
  readonly type: FieldType;
}

/** What a cut must be: rows `[startOffset, endOffset)` of the partition, whatever is in between. */
export interface SegmentCut {
  readonly startOffset: number;
  readonly endOffset: number;
}

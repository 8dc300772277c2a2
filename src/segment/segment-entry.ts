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

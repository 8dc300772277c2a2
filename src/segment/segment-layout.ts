/**
 * The columns and the name of a segment file, version 1.
 *
 * ```
 * file     := <topic>/<topic>-<partition>-<startOffset>-<endOffset>-<fingerprint>[-g<generation>-<part>].parquet
 * columns  := one per field of the source, in order, with the SQL type of its field type
 *             _partition INTEGER | _offset BIGINT | _arrival TIMESTAMP | _late BIGINT
 * order    := key fields of the source, timestamp field, _offset
 * footer   := freshet.format = "1", freshet.segment = canonical JSON of the manifest entry
 *             without bytes and createdAtMs
 * ```
 *
 * Every row of the cut is there, late ones too: `_late` is how many microseconds the row lay
 * behind the stream time of its partition when it was applied, 0 when it was not behind. Times are
 * UTC in microseconds, json is canonical text, compression is zstd. While a file is written its
 * name ends in `.tmp`; only names in the manifest are segments.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../core/coerce.ts';
import type { FieldType } from '../core/field-type.ts';
import type { TopicSource } from '../definition/index.ts';
import { quoteIdentifier } from '../duckdb/index.ts';
import type { SegmentColumn, SegmentCut, SegmentEntry, SegmentRewrite } from './segment-entry.ts';

export const SEGMENT_FORMAT = 1;

/** Columns that every segment has behind the fields of its source. */
export const SYSTEM_COLUMNS = [
  { name: '_partition', type: 'int32' },
  { name: '_offset', type: 'int64' },
  { name: '_arrival', type: 'timestamp' },
  { name: '_late', type: 'int64' },
] as const satisfies readonly SegmentColumn[];

/** The fields of a source as columns, without the system columns. */
export function fieldColumns(source: TopicSource): SegmentColumn[] {
  return Object.entries(source.schema).map(([name, type]) => ({ name, type }));
}

/** 16 hex digits that name the columns of a source; the same for the same names and types. */
export function schemaFingerprint(columns: readonly SegmentColumn[]): string {
  const text = JSON.stringify([SEGMENT_FORMAT, columns.map(({ name, type }) => [name, type])]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The type a column has inside the file: json is text there. */
export function storedType(type: FieldType): FieldType {
  return type === 'json' ? 'string' : type;
}

/** The path of a segment below the store's folder. */
export function segmentFile(
  topic: string,
  partition: number,
  cut: SegmentCut,
  fingerprint: string,
  rewrite?: SegmentRewrite,
): string {
  const { startOffset, endOffset } = cut;
  const suffix = rewrite === undefined ? '' : `-g${rewrite.generation}-${rewrite.part}`;
  return `${topic}/${topic}-${partition}-${startOffset}-${endOffset}-${fingerprint}${suffix}.parquet`;
}

/** Whether a name is one of ours, as `segmentFile` makes them. */
export function isSegmentName(file: string): boolean {
  const at = file.indexOf('/');
  const [topic, name] = [file.slice(0, at), file.slice(at + 1)];
  return (
    name.startsWith(`${topic}-`) &&
    /^\d+-\d+-\d+-[0-9a-f]{16}(-g\d+-\d+)?\.parquet$/.test(name.slice(topic.length + 1))
  );
}

/** Rows of one entity lie together, oldest first: readers skip row groups by their statistics. */
export function sortClause(
  source: TopicSource,
  columns: readonly SegmentColumn[] = fieldColumns(source),
): string {
  const { keyFields, timestampField } = source;
  const present = new Set(columns.map(({ name }) => name));
  const wanted = [...new Set([...keyFields, timestampField])].filter((name) => present.has(name));
  const names = [...wanted, '_offset'];
  return `ORDER BY ${names.map(quoteIdentifier).join(', ')}`;
}

/** What the footer says about the segment; known before the file is written. */
export function footerText(entry: SegmentEntry): string {
  const { bytes: _, createdAtMs: __, ...described } = entry;
  return canonicalJson(described);
}

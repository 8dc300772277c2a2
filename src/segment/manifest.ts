/**
 * The manifest: which files are segments, the truth about history. It lies in the engine's store,
 * so that an entry and the positions change in one write. Readers never list a folder.
 *
 * ```
 * key   := numberedKey(sourceId, partition, SPACE.segment, startOffset)     state/key-schema.ts
 *          followed by the part u16 where a range has several files and this is not the first
 * value := version u8 (1) | JSON, UTF-8, fields in the order of SegmentEntry
 * ```
 *
 * Ranges of a partition do not overlap; a range that was compacted has an entry for each of its
 * files. A cut without rows has an entry too: its `file` is null.
 * Golden bytes: `test/golden/manifest.test.ts`.
 */

import { FreshetError } from '../errors.ts';
import type { KvBatch, KvReader } from '../kv/index.ts';
import { numberedKey, prefixRange, SPACE, stateKey, statePartitions } from '../state/index.ts';
import type { SegmentEntry, SegmentRewrite } from './segment-entry.ts';

const VERSION = 1;

export function putEntry(batch: KvBatch, sourceId: number, entry: SegmentEntry): void {
  batch.put(entryKey(sourceId, entry), encodeEntry(entry));
}

/** The file is the caller's to delete, once the batch is durable and no reader uses it. */
export function removeEntry(batch: KvBatch, sourceId: number, entry: SegmentEntry): void {
  batch.delete(entryKey(sourceId, entry));
}

/**
 * Entries of a source by partition and start offset. Give a snapshot to read several sources as of
 * one moment. @throws FreshetError STORE_CORRUPT
 */
export async function listEntries(kv: KvReader, sourceId: number): Promise<SegmentEntry[]> {
  const entries: SegmentEntry[] = [];
  for (const state of await statePartitions(kv)) {
    if (state.sourceId !== sourceId) continue;
    const range = prefixRange(stateKey(sourceId, state.partition, SPACE.segment));
    for await (const page of kv.scan(range)) {
      for (const [, value] of page) {
        const entry = decodeEntry(value);
        requireNoOverlap(entries.at(-1), entry);
        entries.push(entry);
      }
    }
  }
  return entries;
}

/** Files that the entries name, for `SegmentStore.sweep`. */
export function liveFiles(entries: readonly SegmentEntry[]): Set<string> {
  return new Set(entries.flatMap((entry) => entry.file ?? []));
}

export function encodeEntry(entry: SegmentEntry): Uint8Array {
  const json = Buffer.from(JSON.stringify(inOrder(entry)));
  return Uint8Array.from([VERSION, ...json]);
}

/** @throws FreshetError STORE_VERSION, STORE_CORRUPT */
export function decodeEntry(bytes: Uint8Array): SegmentEntry {
  if (bytes[0] !== VERSION) {
    throw new FreshetError(
      'STORE_VERSION',
      `a manifest entry has version ${bytes[0]}, not ${VERSION}`,
    );
  }
  try {
    return inOrder(JSON.parse(Buffer.from(bytes).toString('utf8', 1)) as SegmentEntry);
  } catch (thrown) {
    throw new FreshetError('STORE_CORRUPT', 'a manifest entry is not what this version writes', {
      cause: thrown,
    });
  }
}

function inOrder(entry: SegmentEntry): SegmentEntry {
  return {
    file: entry.file,
    source: entry.source,
    topic: entry.topic,
    partition: entry.partition,
    startOffset: entry.startOffset,
    endOffset: entry.endOffset,
    rowCount: entry.rowCount,
    bytes: entry.bytes,
    minEventTimeUs: entry.minEventTimeUs,
    maxEventTimeUs: entry.maxEventTimeUs,
    minArrivalTimeUs: entry.minArrivalTimeUs,
    maxArrivalTimeUs: entry.maxArrivalTimeUs,
    maxLateUs: entry.maxLateUs,
    fingerprint: entry.fingerprint,
    contentHash: entry.contentHash,
    columns: entry.columns.map(({ name, type }) => ({ name, type })),
    createdAtMs: entry.createdAtMs,
    ...(entry.rewrite && { rewrite: rewriteInOrder(entry.rewrite) }),
  };
}

function rewriteInOrder({ generation, part, parts }: SegmentRewrite): SegmentRewrite {
  return { generation, part, parts };
}

function entryKey(sourceId: number, entry: SegmentEntry): Uint8Array {
  const { partition, startOffset, rewrite } = entry;
  const key = numberedKey(sourceId, partition, SPACE.segment, startOffset);
  const part = rewrite?.part ?? 0;
  return part === 0 ? key : Buffer.concat([key, Uint8Array.of(part >> 8, part & 0xff)]);
}

/** Entries as the manifest lists them, by range: most have one file. */
export function byRange(entries: readonly SegmentEntry[]): SegmentEntry[][] {
  const ranges: SegmentEntry[][] = [];
  for (const entry of entries) {
    const range = ranges.at(-1);
    if (range?.[0] !== undefined && isSameRange(range[0], entry)) range.push(entry);
    else ranges.push([entry]);
  }
  return ranges;
}

/** Files of one range lie beside one another, by event time. */
export function isSameRange(a: SegmentEntry, b: SegmentEntry): boolean {
  return (
    a.partition === b.partition &&
    a.startOffset === b.startOffset &&
    a.endOffset === b.endOffset &&
    a.rewrite?.generation === b.rewrite?.generation
  );
}

function requireNoOverlap(before: SegmentEntry | undefined, entry: SegmentEntry): void {
  if (before === undefined || before.partition !== entry.partition) return;
  if (before.endOffset <= entry.startOffset || isSameRange(before, entry)) return;
  throw new FreshetError(
    'STORE_CORRUPT',
    `manifest entries overlap: one ends at ${before.endOffset}, the next starts at ${entry.startOffset}`,
    { where: { topic: entry.topic, partition: entry.partition, offset: entry.startOffset } },
  );
}

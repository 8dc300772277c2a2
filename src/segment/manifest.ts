/**
 * The manifest: which files are segments, the truth about history. Readers never list a folder.
 *
 * Ranges of a partition do not overlap; a range that was compacted has an entry for each of its
 * files. A cut without rows has an entry too: its `file` is null.
 *
 * The contract is one that a table format can keep as well as a key-value store: a change is one of
 * a snapshot, and what goes with it are properties of the snapshot
 * (`docs/adr/0010-the-manifest-is-a-contract.md`). Every implementation passes
 * `test/contract/manifest.ts`; the one there is lies in the engine's store (`kv-manifest.ts`).
 */
import { FreshetError } from '../errors.ts';
import type { SegmentEntry } from './segment-entry.ts';

export interface ManifestReader {
  /**
   * Entries of a source by partition, start offset and part; none of a source that is not known.
   * @throws FreshetError STORE_VERSION, STORE_CORRUPT
   */
  entries(source: string): Promise<SegmentEntry[]>;
  /** Those of one partition. @throws as `entries` */
  entriesOf(source: string, partition: number): Promise<SegmentEntry[]>;
  /**
   * By partition of a source, a mark of its entries: while it is the same, so are they. Null where
   * it is not known; a partition that is not there has no entries.
   */
  revisions(source: string): Promise<ReadonlyMap<number, string | null>>;
  /**
   * Entries of several sources as of one moment: commits are seen whole, and none without those
   * before it. Each source that was asked for is there. Default: all sources that have entries.
   * @throws FreshetError STORE_VERSION, STORE_CORRUPT
   */
  snapshot(sources?: readonly string[]): Promise<ReadonlyMap<string, readonly SegmentEntry[]>>;
}

export interface Manifest extends ManifestReader {
  /**
   * Makes all of a change of one source or nothing of it, also when the process or the machine stops
   * at it; durable once resolved. When it throws, the caller does not know which of the two: the same
   * change may be committed again.
   *
   * Changes of different ranges may be committed at once. Nothing else may write the positions of
   * the partition meanwhile.
   */
  commit(source: string, change: ManifestChange): Promise<void>;
  /** Files that entries named once and that were not forgotten since. */
  retired(): Promise<RetiredFile[]>;
  /** For when they are deleted; forgetting one that was forgotten before is no failure. */
  forgetRetired(files: readonly RetiredFile[]): Promise<void>;
}

export interface ManifestChange {
  /** Each takes the place of an entry of the same partition, start offset and part. */
  readonly added?: readonly SegmentEntry[];
  /** One that is not there is no failure. */
  readonly removed?: {
    readonly entries: readonly SegmentEntry[];
    /** Since when their files are retired, but for those that `added` names. */
    readonly atMs: number;
  };
  /** What the store has as positions of a partition from then on (`checkpoint/positions.ts`). */
  readonly positions?: { readonly partition: number; readonly bytes: Uint8Array };
}

/** A file that no entry names any more, and that readers from before may still have in hand. */
export interface RetiredFile {
  readonly source: string;
  readonly partition: number;
  readonly file: string;
  readonly retiredAtMs: number;
}

/** Files that the entries name, for `SegmentStore.sweep`. */
export function liveFiles(entries: readonly SegmentEntry[]): Set<string> {
  return new Set(entries.flatMap((entry) => entry.file ?? []));
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

/**
 * For implementations: of two entries of a source that are listed behind one another.
 * @throws FreshetError STORE_CORRUPT
 */
export function requireNoOverlap(before: SegmentEntry | undefined, entry: SegmentEntry): void {
  if (before === undefined || before.partition !== entry.partition) return;
  if (before.endOffset <= entry.startOffset || isSameRange(before, entry)) return;
  throw new FreshetError(
    'STORE_CORRUPT',
    `manifest entries overlap: one ends at ${before.endOffset}, the next starts at ${entry.startOffset}`,
    { where: { topic: entry.topic, partition: entry.partition, offset: entry.startOffset } },
  );
}

/**
 * History as Parquet: one file per cut of one topic partition (`segment-layout.ts`). The store
 * makes files; which of them are segments is for the manifest to say (`manifest.ts`).
 */
import { type Clock, systemClock } from '../core/clock.ts';
import type { TopicSource } from '../definition/index.ts';
import type { Duckdb } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import type { FileStore } from './file-store.ts';
import { readEntries } from './read-entries.ts';
import { type RewriteOptions, rewriteSegments } from './rewrite-segments.ts';
import type { SegmentEntry } from './segment-entry.ts';
import { isSegmentName } from './segment-layout.ts';
import { segmentRelation } from './segment-relation.ts';
import { createSegmentWriter, type SegmentWriter } from './segment-writer.ts';
import { verifySegment } from './verify-segment.ts';

export interface SegmentStore {
  /** The buffer and writer of one partition; use one at a time for a partition. */
  writer(source: TopicSource, partition: number): SegmentWriter;
  /**
   * Deletes files that a crash left behind: temporary ones and those that `live` (the files that
   * the manifest names) does not hold; answers with their names. Only files of our own naming are
   * touched.
   * @throws FreshetError STORE_LOST when the store is new and there are segments all the same
   */
  sweep(live: ReadonlySet<string>, options?: SweepOptions): Promise<string[]>;
  /** Entries as the footers of all segment files tell them. @throws FreshetError SEGMENT_CORRUPT */
  readEntries(): Promise<SegmentEntry[]>;
  /**
   * Reads a segment again and compares it with its entry.
   * @throws FreshetError SEGMENT_CORRUPT saying what differs
   */
  verify(entry: SegmentEntry): Promise<void>;
  /** `rewriteSegments` with the files of this store. */
  rewrite(options: RewriteOptions): Promise<SegmentEntry[]>;
  /** Deletes files by their names in the manifest; one that is not there is no failure. */
  remove(files: readonly string[]): Promise<void>;
  /** `segmentRelation` with the files of this store. */
  relation(
    entries: readonly SegmentEntry[],
    source: TopicSource,
    columns?: readonly string[],
  ): string;
}

export interface SweepOptions {
  /**
   * Whether the online store has no position of any partition: then segments on disk mean that it
   * was lost. Default: whether `live` is empty.
   */
  readonly storeIsNew?: boolean;
}

export interface SegmentStoreOptions {
  readonly files: FileStore;
  readonly duckdb: Duckdb;
  /** Default: the system's. */
  readonly clock?: Clock;
}

export function createSegmentStore(options: SegmentStoreOptions): SegmentStore {
  const { files, duckdb, clock = systemClock } = options;
  return {
    writer: (source, partition) => createSegmentWriter({ files, duckdb, clock }, source, partition),
    sweep: (live, { storeIsNew = live.size === 0 } = {}) => sweepFiles(files, live, storeIsNew),
    readEntries: async () => readEntries({ files, duckdb, clock }, await segmentFiles(files)),
    rewrite: (rewriting) => rewriteSegments({ files, duckdb, clock }, rewriting),
    remove: (names) => files.remove(names),
    verify: (entry) => verifySegment(duckdb, files, entry),
    relation: (entries, source, columns) => segmentRelation(files, entries, source, columns),
  };
}

async function sweepFiles(
  files: FileStore,
  live: ReadonlySet<string>,
  storeIsNew: boolean,
): Promise<string[]> {
  const unnamed = (await segmentFiles(files)).filter((file) => !live.has(file));
  const [lost] = unnamed;
  if (storeIsNew && lost !== undefined) {
    throw new FreshetError('STORE_LOST', 'there are segments that the store knows nothing of', {
      where: { file: lost },
    });
  }
  await files.remove(unnamed);
  return [...unnamed, ...(await files.removeUnfinished(isSegmentName))].sort();
}

/** All that are named as segments. */
async function segmentFiles(files: FileStore): Promise<string[]> {
  return (await files.list()).filter(isSegmentName);
}

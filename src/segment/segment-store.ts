/**
 * History as Parquet: one file per cut of one topic partition (`segment-layout.ts`). The store
 * makes files; which of them are segments is for the manifest to say (`manifest.ts`).
 */
import { join } from 'node:path';
import { type Clock, systemClock } from '../core/clock.ts';
import type { FileSystem } from '../core/fs.ts';
import type { TopicSource } from '../definition/index.ts';
import type { Duckdb } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { toDiskError } from './disk-error.ts';
import { nodeFileSystem } from './node-fs.ts';
import { readEntries } from './read-entries.ts';
import { type RewriteOptions, rewriteSegments } from './rewrite-segments.ts';
import type { SegmentEntry } from './segment-entry.ts';
import { isSegmentName, TEMPORARY_SUFFIX } from './segment-layout.ts';
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
  readonly directory: string;
  readonly duckdb: Duckdb;
  /** Default: the file system of Node. */
  readonly fs?: FileSystem;
  /** Default: the system's. */
  readonly clock?: Clock;
}

export function createSegmentStore(options: SegmentStoreOptions): SegmentStore {
  const { directory, duckdb, fs = nodeFileSystem, clock = systemClock } = options;
  return {
    writer: (source, partition) =>
      createSegmentWriter({ directory, duckdb, fs, clock }, source, partition),
    sweep: (live, { storeIsNew = live.size === 0 } = {}) =>
      sweepFiles(fs, directory, live, storeIsNew),
    readEntries: async () => {
      const files = await segmentFiles(fs, directory);
      const whole = files.filter((file) => !file.endsWith(TEMPORARY_SUFFIX));
      return readEntries({ directory, duckdb, fs, clock }, whole);
    },
    rewrite: (rewriting) => rewriteSegments({ directory, duckdb, fs, clock }, rewriting),
    remove: async (files) => {
      for (const file of files) await fs.remove(join(directory, file));
    },
    verify: (entry) => verifySegment(duckdb, directory, entry),
    relation: (entries, source, columns) => segmentRelation(directory, entries, source, columns),
  };
}

async function sweepFiles(
  fs: FileSystem,
  directory: string,
  live: ReadonlySet<string>,
  storeIsNew: boolean,
): Promise<string[]> {
  try {
    const unnamed = (await segmentFiles(fs, directory)).filter((file) => !live.has(file));
    const lost = unnamed.find((file) => !file.endsWith(TEMPORARY_SUFFIX));
    if (storeIsNew && lost !== undefined) {
      throw new FreshetError('STORE_LOST', 'there are segments that the store knows nothing of', {
        where: { file: lost },
      });
    }
    for (const file of unnamed) await fs.remove(join(directory, file));
    return unnamed;
  } catch (thrown) {
    throw toDiskError(thrown, directory);
  }
}

/** Everything in the folder that is named as a segment, finished or not. */
async function segmentFiles(fs: FileSystem, directory: string): Promise<string[]> {
  const files: string[] = [];
  for (const topic of await fs.list(directory)) {
    const names = await fs.list(join(directory, topic));
    files.push(
      ...names.filter((name) => isSegmentName(topic, name)).map((name) => `${topic}/${name}`),
    );
  }
  return files;
}

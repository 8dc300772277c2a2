/**
 * Files in the place of others, so that readers and restarts see all of the old or all of the new:
 *
 *   1. write the new files, each synced and renamed (`segment/publish-segment.ts`)
 *   2. one synced write: the new entries in the manifest, the old ones out of it and *retired*
 *   3. after a grace period, delete the retired files
 *   4. forget that they were retired
 *
 * A stop before 2 leaves files that nothing names: the next start sweeps them. One between 3 and 4
 * deletes files that are gone: no failure. A reader that got its entries before 2 has the grace to
 * finish in.
 */
import { KvBatch, type KvReader } from '../kv/index.ts';
import { putEntry, removeEntry, type SegmentEntry, type SegmentStore } from '../segment/index.ts';
import { prefixRange, SPACE, type StateStore, stateKey, statePartitions } from '../state/index.ts';

/** Step 2. `written` may be fewer entries, or the same without a file. */
export async function swapSegments(
  state: StateStore,
  sourceId: number,
  {
    replaced,
    written,
  }: {
    readonly replaced: readonly SegmentEntry[];
    readonly written: readonly SegmentEntry[];
  },
  nowMs: number,
): Promise<void> {
  const batch = new KvBatch();
  for (const entry of replaced) removeEntry(batch, sourceId, entry);
  for (const entry of written) putEntry(batch, sourceId, entry);
  for (const { file, partition } of replaced) {
    if (file !== null) batch.put(retiredKey(sourceId, partition, file), encodeTime(nowMs));
  }
  await state.kv.write(batch, { sync: true });
}

export interface RetiredFile {
  readonly file: string;
  readonly retiredAtMs: number;
  readonly key: Uint8Array;
}

/** Files that no entry names and that are not deleted yet. */
export async function retiredFiles(kv: KvReader): Promise<RetiredFile[]> {
  const found: RetiredFile[] = [];
  for (const { sourceId, partition } of await statePartitions(kv)) {
    const prefix = stateKey(sourceId, partition, SPACE.retired);
    for await (const page of kv.scan(prefixRange(prefix))) {
      for (const [key, value] of page) {
        const file = Buffer.from(key.subarray(prefix.length)).toString('utf8');
        found.push({ file, retiredAtMs: decodeTime(value), key: Uint8Array.from(key) });
      }
    }
  }
  return found;
}

/** Steps 3 and 4, for files that were retired before a time; answers with their names. */
export async function reclaimSegments(
  state: StateStore,
  segments: SegmentStore,
  beforeMs: number,
): Promise<string[]> {
  const due = (await retiredFiles(state.kv)).filter(({ retiredAtMs }) => retiredAtMs < beforeMs);
  if (due.length === 0) return [];
  const files = due.map(({ file }) => file);
  await segments.remove(files); // 3
  const batch = new KvBatch();
  for (const { key } of due) batch.delete(key);
  await state.kv.write(batch); // 4
  return files;
}

function retiredKey(sourceId: number, partition: number, file: string): Uint8Array {
  return Buffer.concat([stateKey(sourceId, partition, SPACE.retired), Buffer.from(file)]);
}

function encodeTime(timeMs: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(timeMs);
  return bytes;
}

function decodeTime(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readDoubleBE();
}

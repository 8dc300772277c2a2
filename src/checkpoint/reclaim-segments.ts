import type { Manifest, SegmentStore } from '../segment/index.ts';

/**
 * The end of putting files in the place of others, so that readers and restarts see all of the old
 * or all of the new:
 *
 *   1. write the new files, each whole and durable (`SegmentStore.rewrite`)
 *   2. one commit of the manifest: the new entries in it, the old ones out of it and *retired*
 *   3. after a grace period, delete the retired files
 *   4. forget that they were retired
 *
 * A stop before 2 leaves files that nothing names: the next start sweeps them. One between 3 and 4
 * deletes files that are gone: no failure. A reader that got its entries before 2 has the grace to
 * finish in.
 *
 * These are steps 3 and 4, for files that were retired before a time; answers with their names.
 */
export async function reclaimSegments(
  manifest: Manifest,
  segments: SegmentStore,
  beforeMs: number,
): Promise<string[]> {
  const due = (await manifest.retired()).filter(({ retiredAtMs }) => retiredAtMs < beforeMs);
  if (due.length === 0) return [];
  const files = due.map(({ file }) => file);
  await segments.remove(files); // 3
  await manifest.forgetRetired(due); // 4
  return files;
}

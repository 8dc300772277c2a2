import { liveFiles, type Manifest, type SegmentStore } from '../segment/index.ts';
import { type StateStore, statePartitions } from '../state/index.ts';
import { channels } from '../telemetry/index.ts';
import { readPositions } from './partition-checkpoint.ts';

/**
 * Step 3 of a start, once, before a partition is opened: deletes the files that a crash left among
 * the segments, and answers with their names. Files that were replaced stay for their grace.
 * @throws FreshetError STORE_LOST when there are segments and the store has never read a partition:
 * then nothing is deleted
 */
export async function recoverSegments(
  state: StateStore,
  manifest: Manifest,
  segments: SegmentStore,
): Promise<string[]> {
  const retired = await manifest.retired();
  const entries = [...(await manifest.snapshot()).values()].flat();
  // A cut writes its intent before its file: a store without any position has made none of them.
  const kept = new Set([...liveFiles(entries), ...retired.map(({ file }) => file)]);
  const files = await segments.sweep(kept, {
    storeIsNew: !(await hasPositions(state)),
  });
  if (files.length > 0) channels.swept.publish({ files });
  return files;
}

async function hasPositions(state: StateStore): Promise<boolean> {
  for (const { sourceId, partition } of await statePartitions(state.kv)) {
    if ((await readPositions(state, sourceId, partition)) !== null) return true;
  }
  return false;
}

import { type PartMarks, remarkFiles } from '../backfill/index.ts';
import type { FeatureView, ParquetSource } from '../definition/index.ts';
import type { StateStore } from '../state/index.ts';

/** What was loaded is not loaded again because its files were written anew. */
export async function remarkSource(
  state: StateStore,
  views: readonly FeatureView[],
  source: ParquetSource,
  marks: PartMarks,
): Promise<void> {
  const sourceId = state.dictionary.sourceId(source.name);
  for (const { name, batchSource } of views) {
    const viewId = state.dictionary.viewId(name);
    if (batchSource !== source || sourceId === undefined || viewId === undefined) continue;
    await remarkFiles(state, { sourceId, viewId }, marks);
  }
}

import { didYouMean } from '../core/nearest.ts';
import type { FeatureView } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { FeaturePlan } from '../transform/index.ts';
import type { RowRelation } from './row-relation.ts';
import type { KnownAtFiles, KnownAtOffsets, KnownHistory, RowsOf } from './view-rows.ts';

/**
 * The rows of each read; a view that is read under several names is looked up once.
 * @throws FreshetError VIEW_NOT_OFFLINE, INVALID_ARGUMENT for offsets of a topic, or files of a
 * source, that none reads
 */
export async function relationsOf(
  { reads }: FeaturePlan,
  rowsOf: RowsOf,
  known: KnownHistory,
): Promise<(readonly RowRelation[])[]> {
  requireTopics(reads, known.offsets ?? {});
  requireSources(reads, known.files ?? {});
  const found = new Map<FeatureView, readonly RowRelation[]>();
  for (const { view } of reads) {
    if (!view.offline) {
      throw new FreshetError('VIEW_NOT_OFFLINE', `view "${view.name}" has offline: false`, {
        where: { view: view.name },
      });
    }
    if (!found.has(view)) found.set(view, await rowsOf(view, known));
  }
  return reads.map(({ view }) => found.get(view) as readonly RowRelation[]);
}

/** @throws FreshetError INVALID_ARGUMENT */
function requireTopics(reads: FeaturePlan['reads'], offsets: KnownAtOffsets): void {
  const topics = new Set(reads.flatMap(({ view }) => view.streamSource?.topic ?? []));
  for (const [topic, limits] of Object.entries(offsets)) {
    if (!topics.has(topic)) {
      const what = `knownAtOffsets: no view of the request reads topic "${topic}". `;
      throw new FreshetError('INVALID_ARGUMENT', what + didYouMean(topic, topics));
    }
    if (limits.every((offset) => Number.isSafeInteger(offset) && offset >= 0)) continue;
    const what = `knownAtOffsets: the offsets of topic "${topic}" must be whole numbers`;
    throw new FreshetError('INVALID_ARGUMENT', what, { where: { topic } });
  }
}

/** @throws FreshetError INVALID_ARGUMENT */
function requireSources(reads: FeaturePlan['reads'], files: KnownAtFiles): void {
  const sources = new Set(reads.flatMap(({ view }) => view.batchSource?.name ?? []));
  const unknown = Object.keys(files).find((source) => !sources.has(source));
  if (unknown === undefined) return;
  const what = `knownAtFiles: no view of the request reads the Parquet source "${unknown}". `;
  throw new FreshetError('INVALID_ARGUMENT', what + didYouMean(unknown, sources));
}

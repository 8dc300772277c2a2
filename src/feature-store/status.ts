import { type Gap, listGaps, type Positions, readPositions } from '../checkpoint/index.ts';
import { US_PER_MS } from '../core/time.ts';
import type { Catalog, TopicSource } from '../definition/index.ts';
import type { PartitionStatus } from '../pipeline/index.ts';
import type { ManifestReader, SegmentTotals } from '../segment/index.ts';
import type { StateStore } from '../state/index.ts';
import { sourcesByTopic } from './open-task.ts';
import type { Resources } from './resources.ts';

/** Where one source stands. */
export interface SourceStatus {
  readonly source: string;
  readonly topic: string;
  readonly partitions: readonly PartitionStatus[];
  readonly segments: SegmentTotals;
  /** Records that were removed from the log before they were read. */
  readonly gaps: readonly Gap[];
}

/** Where every source stands by its stored positions; an engine in another process may be ahead. */
export async function storedStatus(
  resources: Resources,
  catalog: Catalog,
): Promise<SourceStatus[]> {
  const sources = [...sourcesByTopic(catalog).values()];
  return resources.readState(async (state, manifest) => {
    const statusOf = (source: TopicSource): Promise<SourceStatus> =>
      sourceStatus(resources, state, manifest, source);
    return Promise.all(sources.map(statusOf));
  });
}

async function sourceStatus(
  resources: Resources,
  state: StateStore,
  manifest: ManifestReader,
  source: TopicSource,
): Promise<SourceStatus> {
  const { name, topic } = source;
  const sourceId = state.dictionary.sourceId(name);
  const ends = await endOffsets(resources, source);
  const partitions = await Promise.all(
    ends.map(async (end, partition) => {
      const found = sourceId === undefined ? null : await readPositions(state, sourceId, partition);
      return partitionStatus(source, partition, found, end);
    }),
  );
  const segments = await resources.segmentTotals.of(manifest, name);
  const gaps = sourceId === undefined ? [] : await listGaps(state.kv, sourceId);
  return { source: name, topic, partitions, segments, gaps };
}

function partitionStatus(
  { topic, outOfOrderMs }: TopicSource,
  partition: number,
  positions: Positions | null,
  end: number | null,
): PartitionStatus {
  const applied = positions?.applied ?? 0;
  const maxUs = positions?.appliedMaxEventTimeUs ?? null;
  const { rows, rejected, late } = positions?.counters ?? { rows: 0, rejected: 0, late: {} };
  return {
    topic,
    partition,
    applied,
    sealed: positions?.sealed ?? 0,
    end: end ?? applied,
    lagRecords: Math.max(0, (end ?? applied) - applied),
    streamTimeUs: maxUs === null ? null : maxUs - outOfOrderMs * US_PER_MS,
    rows,
    rejected,
    late,
    idle: false,
    retryAtMs: null,
  };
}

/** By partition; null where the log cannot be asked. */
async function endOffsets(
  resources: Resources,
  { topic, partitions }: TopicSource,
): Promise<(number | null)[]> {
  const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const log = await resources.logToRead();
  if (log === null || !(await log.listTopics()).includes(topic)) return tps.map(() => null);
  return (await log.watermarks(tps)).map(({ end }) => end);
}

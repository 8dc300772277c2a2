import { readPositions } from '../checkpoint/index.ts';
import type { Clock } from '../core/clock.ts';
import { US_PER_MS } from '../core/time.ts';
import {
  type Catalog,
  type FeatureView,
  type TopicSource,
  viewFingerprint,
} from '../definition/index.ts';
import {
  createOnlineServing,
  type OnlineServing,
  type OnlineServingOptions,
  type PartitionPosition,
} from '../serving/index.ts';
import type { StateStore } from '../state/index.ts';

/** Online reads of the catalog from the state. */
export function openServing(
  state: StateStore,
  catalog: Catalog,
  clock: Clock,
  readMany: OnlineServingOptions['readMany'],
): OnlineServing {
  const fingerprints = new WeakMap<FeatureView, string>();
  return createOnlineServing({
    state,
    catalog,
    clock,
    readMany,
    partitionsOf: (source) => partitionsOf(state, catalog, source),
    positionsOf: (source) => positionsOf(state, catalog, source),
    fingerprintOf: (view) => {
      const known = fingerprints.get(view) ?? viewFingerprint(view);
      fingerprints.set(view, known);
      return known;
    },
  });
}

/** Partitions that may hold rows of the source: as many as its rows were written with. */
function partitionsOf(state: StateStore, catalog: Catalog, source: TopicSource): number {
  let { partitions } = source;
  for (const view of catalog.views.values()) {
    if (view.streamSource !== source) continue;
    const viewId = state.dictionary.viewId(view.name);
    const home = viewId === undefined ? undefined : state.homes.get(viewId);
    partitions = Math.max(partitions, home?.partitions ?? 0);
  }
  return partitions;
}

async function positionsOf(
  state: StateStore,
  catalog: Catalog,
  source: TopicSource,
): Promise<PartitionPosition[]> {
  const sourceId = state.dictionary.sourceId(source.name);
  const partitions = Array.from({ length: partitionsOf(state, catalog, source) }, (_, p) => p);
  return Promise.all(
    partitions.map(async (partition) => {
      const positions =
        sourceId === undefined ? null : await readPositions(state, sourceId, partition);
      const maxUs = positions?.appliedMaxEventTimeUs ?? null;
      const streamTimeUs = maxUs === null ? null : maxUs - source.outOfOrderMs * US_PER_MS;
      return { applied: positions?.applied ?? 0, streamTimeUs };
    }),
  );
}

import { readPositions } from '../checkpoint/index.ts';
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
  type PartitionPosition,
} from '../serving/index.ts';
import type { StateStore } from '../state/index.ts';
import type { DegradedSources } from './degraded-sources.ts';
import type { Resources } from './resources.ts';

/** Online reads of a catalog, from whichever state a read is given: each state knows where rows are. */
export class Servings {
  readonly #resources: Resources;
  readonly #catalog: Catalog;
  readonly #degraded: DegradedSources;
  readonly #known = new WeakMap<StateStore, OnlineServing>();

  constructor(resources: Resources, catalog: Catalog, degraded: DegradedSources) {
    this.#resources = resources;
    this.#catalog = catalog;
    this.#degraded = degraded;
  }

  async of(state: StateStore): Promise<OnlineServing> {
    if (!this.#degraded.knowsGaps(state)) {
      const sources = [...this.#catalog.views.values()].flatMap((view) => view.streamSource ?? []);
      await this.#degraded.readGaps(state, [...new Set(sources)]);
    }
    const known = this.#known.get(state) ?? this.#open(state);
    this.#known.set(state, known);
    return known;
  }

  #open(state: StateStore): OnlineServing {
    const catalog = this.#catalog;
    const fingerprints = new WeakMap<FeatureView, string>();
    return createOnlineServing({
      state,
      catalog,
      clock: this.#resources.clock,
      readMany: this.#resources.readManyOf(state),
      partitionsOf: (source) => partitionsOf(state, catalog, source),
      positionsOf: (source) => positionsOf(state, catalog, source),
      fingerprintOf: (view) => {
        const known = fingerprints.get(view) ?? viewFingerprint(view);
        fingerprints.set(view, known);
        return known;
      },
      degradedOf: (source) => this.#degraded.of(state, source),
    });
  }
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

import type { FieldValue } from '../core/field-type.ts';
import type { FeatureView, TopicSource } from '../definition/index.ts';
import {
  type EntityKeyCodec,
  entityKeyCodec,
  type HomeFinder,
  homeFinder,
  type StateStore,
} from '../state/index.ts';
import { requireCurrent } from './claim-view.ts';

export interface ViewPlacesOptions {
  readonly state: StateStore;
  /** Partitions of a source's topic. */
  readonly partitionsOf: (source: TopicSource) => number;
}

export const BATCH_ROW = -1;
export const UNKNOWN_PARTITION = -2;

/** A partition of a source that may hold something of an entity. */
export interface Place {
  readonly sourceId: number;
  readonly partition: number;
  /** The partition, or BATCH_ROW for batch history. */
  readonly label: number;
}

/** Where the state of one view's entities may be. */
export class ViewPlaces {
  readonly keys: EntityKeyCodec;
  readonly view: FeatureView;
  readonly #state: StateStore;
  /** The state whose definition was compared last. */
  #checkedId: number | null = null;
  readonly #finder: HomeFinder | null;
  readonly #partitionsOf: ViewPlacesOptions['partitionsOf'];

  constructor(options: ViewPlacesOptions, view: FeatureView) {
    this.view = view;
    this.keys = entityKeyCodec(view.joinKeys);
    this.#state = options.state;
    this.#partitionsOf = options.partitionsOf;
    this.#finder = homeFinder(view, this.keys.names);
  }

  /** Undefined while nothing of the view was ever written. */
  get viewId(): number | undefined {
    return this.#state.dictionary.viewId(this.view.name);
  }

  /** @throws FreshetError VIEW_STATE_OUTDATED */
  requireCurrent(viewId: number): void {
    if (this.#checkedId === viewId) return;
    requireCurrent(this.#state, this.view, viewId);
    this.#checkedId = viewId;
  }

  /** In the order of the total order's last parts: batch history first, then the stream's partitions. */
  find(viewId: number, values: readonly FieldValue[], visit: (place: Place) => void): void {
    const { dictionary } = this.#state;
    const { batchSource, streamSource } = this.view;
    const batchId = batchSource === null ? undefined : dictionary.sourceId(batchSource.name);
    if (batchId !== undefined) visit({ sourceId: batchId, partition: 0, label: BATCH_ROW });
    const sourceId = streamSource === null ? undefined : dictionary.sourceId(streamSource.name);
    if (streamSource === null || sourceId === undefined) return;
    const partitions = this.#partitionsOf(streamSource);
    const home = this.#homeOf(viewId, values, partitions);
    for (let p = home ?? 0; p < (home === null ? partitions : home + 1); p++) {
      visit({ sourceId, partition: p, label: p });
    }
  }

  /** Null when rows may be in any partition. */
  #homeOf(viewId: number, values: readonly FieldValue[], partitions: number): number | null {
    const home = this.#state.homes.get(viewId);
    const isKept = home !== undefined && !home.spread && home.partitions === partitions;
    return this.#finder !== null && isKept ? this.#finder.homeOf(values, partitions) : null;
  }
}

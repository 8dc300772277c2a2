/**
 * Reads newest rows: one `getMany` for all views and entities of a request, never a get per feature.
 * An entity's row is in its home partition of the stream; where the view is spread, in any; and, for
 * a view with batch history, under that source, too. Of several rows the greatest wins.
 */
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { compareRowOrder, type RowOrder } from '../core/row-order.ts';
import type { FeatureView, TopicSource } from '../definition/index.ts';
import {
  type EntityKeyCodec,
  entityKeyCodec,
  entityStateKey,
  type HomeFinder,
  homeFinder,
  SPACE,
  type StateStore,
} from '../state/index.ts';
import {
  FEATURE_ABSENT,
  layoutIdOf,
  RowValueDecoder,
  readStoredOrder,
  type StoredRow,
} from './row-value.ts';

export interface OnlineReaderOptions {
  readonly state: StateStore;
  /** Partitions of a source's topic. */
  readonly partitionsOf: (source: TopicSource) => number;
}

/** Which features of a view; the order is that of the answer. */
export interface ViewFeatures {
  readonly view: FeatureView;
  readonly features: readonly string[];
  readonly types: readonly FieldType[];
}

/** Newest rows of one view, column by column, in the order of the entities asked for. */
export interface RowColumns {
  /** `[feature][entity]`; null where the feature is absent or null. */
  readonly values: readonly (readonly FieldValue[])[];
  /** `[feature][entity]`: FEATURE_ABSENT, FEATURE_NULL or FEATURE_PRESENT. */
  readonly states: readonly Uint8Array[];
  /** Microseconds by entity; NaN where there is no row. */
  readonly eventTimesUs: Float64Array;
  /**
   * By entity: the stream's partition that the row is in, or would be in; BATCH_ROW for a row of
   * batch history, UNKNOWN_PARTITION where there is no row and no home.
   */
  readonly partitions: Int32Array;
}

export const BATCH_ROW = -1;
export const UNKNOWN_PARTITION = -2;

/** The keys under which rows may be, and the partition that each stands for. */
class Candidates {
  readonly keys: Uint8Array[] = [];
  readonly partitions: number[] = [];

  add(key: Uint8Array, partition: number): void {
    this.keys.push(key);
    this.partitions.push(partition);
  }
}

/** Compiled for one list of views; use it for many reads. */
export class OnlineReader {
  readonly #state: StateStore;
  readonly #views: readonly ViewReader[];

  constructor(options: OnlineReaderOptions, views: readonly ViewFeatures[]) {
    this.#state = options.state;
    this.#views = views.map((view) => new ViewReader(options, view));
  }

  /** Join keys of each view in the order in which `read` wants their values. */
  get keyNames(): readonly (readonly string[])[] {
    return this.#views.map(({ keyNames }) => keyNames);
  }

  /** `entities[view][entity]` are join key values, null where one is missing: then there is no row. */
  async read(
    entities: readonly (readonly (readonly FieldValue[])[])[],
  ): Promise<readonly RowColumns[]> {
    const candidates = new Candidates();
    const { keys } = candidates;
    const ends = this.#views.map((view, v) =>
      (entities[v] as readonly (readonly FieldValue[])[]).map((values) => {
        view.addCandidates(values, candidates);
        return keys.length;
      }),
    );
    const stored = keys.length === 0 ? [] : await this.#state.kv.getMany(keys);
    let from = 0;
    return this.#views.map((view, v) => {
      const viewEnds = ends[v] as number[];
      const columns = view.columns(stored, candidates.partitions, from, viewEnds);
      from = viewEnds.at(-1) ?? from;
      return columns;
    });
  }
}

class ViewReader {
  readonly keyNames: readonly string[];
  readonly #state: StateStore;
  readonly #view: FeatureView;
  readonly #features: readonly string[];
  readonly #types: readonly FieldType[];
  readonly #keys: EntityKeyCodec;
  readonly #finder: HomeFinder | null;
  readonly #partitionsOf: OnlineReaderOptions['partitionsOf'];
  readonly #decoders = new Map<number, RowValueDecoder>();

  constructor(options: OnlineReaderOptions, { view, features, types }: ViewFeatures) {
    this.#state = options.state;
    this.#partitionsOf = options.partitionsOf;
    this.#view = view;
    this.#features = features;
    this.#types = types;
    this.#keys = entityKeyCodec(view.joinKeys);
    this.#finder = homeFinder(view, this.#keys.names);
    this.keyNames = this.#keys.names;
  }

  /** Every key under which the entity's newest row may be, in the order of sources and partitions. */
  addCandidates(values: readonly FieldValue[], into: Candidates): void {
    const { dictionary } = this.#state;
    const { batchSource, streamSource, name } = this.#view;
    const viewId = dictionary.viewId(name);
    if (viewId === undefined || values.includes(null)) return;
    const entityKey = this.#keys.encode(values);
    const batchId = batchSource === null ? undefined : dictionary.sourceId(batchSource.name);
    if (batchId !== undefined) {
      into.add(entityStateKey(batchId, 0, SPACE.row, viewId, entityKey), BATCH_ROW);
    }
    const streamId = streamSource === null ? undefined : dictionary.sourceId(streamSource.name);
    if (streamSource === null || streamId === undefined) return;
    const partitions = this.#partitionsOf(streamSource);
    const home = this.#homeOf(viewId, values, partitions);
    for (let p = home ?? 0; p < (home === null ? partitions : home + 1); p++) {
      into.add(entityStateKey(streamId, p, SPACE.row, viewId, entityKey), p);
    }
  }

  /** Rows out of `stored[from, …)`; entity e has those up to `ends[e]`. */
  columns(
    stored: readonly (Uint8Array | undefined)[],
    candidates: readonly number[],
    from: number,
    ends: readonly number[],
  ): RowColumns {
    const count = ends.length;
    const values = this.#features.map(() => new Array<FieldValue>(count).fill(null));
    const states = this.#features.map(() => new Uint8Array(count).fill(FEATURE_ABSENT));
    const eventTimesUs = new Float64Array(count).fill(Number.NaN);
    const partitions = new Int32Array(count).fill(UNKNOWN_PARTITION);
    let start = from;
    for (let e = 0; e < count; e++) {
      const end = ends[e] as number;
      const found = greatest(stored, start, end);
      const place = found >= 0 ? found : end - 1;
      const isOnly = end - start === 1 || (end - start === 2 && candidates[start] === BATCH_ROW);
      if (found >= 0 || isOnly) partitions[e] = candidates[place] as number;
      start = end;
      if (found < 0) continue;
      const row = this.#decode(stored[found] as Uint8Array);
      eventTimesUs[e] = row.eventTimeUs;
      for (let f = 0; f < values.length; f++) {
        (values[f] as FieldValue[])[e] = row.values[f] as FieldValue;
        (states[f] as Uint8Array)[e] = row.states[f] as number;
      }
    }
    return { values, states, eventTimesUs, partitions };
  }

  /** Null when rows may be in any partition. */
  #homeOf(viewId: number, values: readonly FieldValue[], partitions: number): number | null {
    const home = this.#state.homes.get(viewId);
    const isKept = home !== undefined && !home.spread && home.partitions === partitions;
    return this.#finder !== null && isKept ? this.#finder.homeOf(values, partitions) : null;
  }

  #decode(bytes: Uint8Array): StoredRow {
    const layoutId = layoutIdOf(bytes);
    let decoder = this.#decoders.get(layoutId);
    if (decoder === undefined) {
      const layout = this.#state.dictionary.requireLayout(layoutId);
      decoder = new RowValueDecoder(layout, this.#features, this.#types);
      this.#decoders.set(layoutId, decoder);
    }
    return decoder.decode(bytes);
  }
}

/**
 * Where in `stored[from, to)` the greatest row is; -1 where there is none. Keys are in the order of
 * the total order's last parts: batch history first, then the stream's partitions.
 */
function greatest(stored: readonly (Uint8Array | undefined)[], from: number, to: number): number {
  if (to - from === 1) return stored[from] === undefined ? -1 : from;
  let best: RowOrder | null = null;
  for (let place = from; place < to; place++) {
    const bytes = stored[place];
    if (bytes === undefined) continue;
    const order = { ...readStoredOrder(bytes), partition: place };
    if (best === null || compareRowOrder(order, best) > 0) best = order;
  }
  return best === null ? -1 : best.partition;
}

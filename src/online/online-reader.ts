/**
 * Reads newest rows: one `getMany` for all views and entities of a request, never a get per feature.
 * An entity's row is in its home partition of the stream; where the view is spread, in any; and, for
 * a view with batch history, under that source, too. Of several rows the greatest wins.
 */
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { compareRowOrder } from '../core/row-order.ts';
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
    const keys: Uint8Array[] = [];
    const ends = this.#views.map((view, v) =>
      (entities[v] as readonly (readonly FieldValue[])[]).map((values) => {
        view.addKeys(values, keys);
        return keys.length;
      }),
    );
    const stored = keys.length === 0 ? [] : await this.#state.kv.getMany(keys);
    let from = 0;
    return this.#views.map((view, v) => {
      const viewEnds = ends[v] as number[];
      const columns = view.columns(stored, from, viewEnds);
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
  addKeys(values: readonly FieldValue[], into: Uint8Array[]): void {
    const { dictionary } = this.#state;
    const { batchSource, streamSource, name } = this.#view;
    const viewId = dictionary.viewId(name);
    if (viewId === undefined || values.includes(null)) return;
    const entityKey = this.#keys.encode(values);
    const batchId = batchSource === null ? undefined : dictionary.sourceId(batchSource.name);
    if (batchId !== undefined) into.push(entityStateKey(batchId, 0, SPACE.row, viewId, entityKey));
    const streamId = streamSource === null ? undefined : dictionary.sourceId(streamSource.name);
    if (streamSource === null || streamId === undefined) return;
    const partitions = this.#partitionsOf(streamSource);
    const home = this.#homeOf(viewId, values, partitions);
    for (let p = home ?? 0; p < (home === null ? partitions : home + 1); p++) {
      into.push(entityStateKey(streamId, p, SPACE.row, viewId, entityKey));
    }
  }

  /** Rows out of `stored[from, …)`; entity e has those up to `ends[e]`. */
  columns(
    stored: readonly (Uint8Array | undefined)[],
    from: number,
    ends: readonly number[],
  ): RowColumns {
    const count = ends.length;
    const values = this.#features.map(() => new Array<FieldValue>(count).fill(null));
    const states = this.#features.map(() => new Uint8Array(count).fill(FEATURE_ABSENT));
    const eventTimesUs = new Float64Array(count).fill(Number.NaN);
    let start = from;
    for (let e = 0; e < count; e++) {
      const bytes = greatest(stored, start, ends[e] as number);
      start = ends[e] as number;
      if (bytes === undefined) continue;
      const row = this.#decode(bytes);
      eventTimesUs[e] = row.eventTimeUs;
      for (let f = 0; f < values.length; f++) {
        (values[f] as FieldValue[])[e] = row.values[f] as FieldValue;
        (states[f] as Uint8Array)[e] = row.states[f] as number;
      }
    }
    return { values, states, eventTimesUs };
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

/** The greatest row of `stored[from, to)`: batch history first, then the stream's partitions in order. */
function greatest(
  stored: readonly (Uint8Array | undefined)[],
  from: number,
  to: number,
): Uint8Array | undefined {
  if (to - from === 1) return stored[from];
  let best: Uint8Array | undefined;
  let bestOrder: Parameters<typeof compareRowOrder>[0] | null = null;
  for (let i = from; i < to; i++) {
    const bytes = stored[i];
    if (bytes === undefined) continue;
    // Later keys are of later partitions, or of the stream: their place among the keys stands for both.
    const order = { ...readStoredOrder(bytes), partition: i };
    if (bestOrder !== null && compareRowOrder(order, bestOrder) < 0) continue;
    best = bytes;
    bestOrder = order;
  }
  return best;
}

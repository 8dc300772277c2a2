/**
 * Reads newest rows and windows: one `getMany` for all views and entities of a request, never a get per feature.
 * An entity's row is in its home partition of the stream; where the view is spread, in any; and, for
 * a view with batch history, under that source, too. Of several rows the greatest wins.
 */
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { compareRowOrder, type RowOrder } from '../core/row-order.ts';
import type { KvReader } from '../kv/index.ts';
import { entityStateKey, SPACE, type StateStore } from '../state/index.ts';
import { FEATURE_ABSENT, layoutIdOf, RowValueDecoder, readStoredOrder } from './row-value.ts';
import { BATCH_ROW, UNKNOWN_PARTITION, ViewPlaces, type ViewPlacesOptions } from './view-places.ts';
import type { RowColumns, ViewFeatures, ViewReader } from './view-reader.ts';
import { WindowReader } from './window-reader.ts';

export interface OnlineReaderOptions extends ViewPlacesOptions {
  /** Default: the state's store. */
  readonly readMany?: KvReader['getMany'] | undefined;
}

/** Compiled for one list of views; use it for many reads. */
export class OnlineReader {
  readonly #readMany: KvReader['getMany'];
  readonly #views: readonly ViewReader[];

  constructor(options: OnlineReaderOptions, views: readonly ViewFeatures[]) {
    const { kv } = options.state;
    this.#readMany = options.readMany ?? ((keys) => kv.getMany(keys));
    this.#views = views.map((features) =>
      features.view.windowing === null
        ? new RowReader(options, features)
        : new WindowReader(options, features, features.view.windowing),
    );
  }

  /** Join keys of each view in the order in which `read` wants their values. */
  get keyNames(): readonly (readonly string[])[] {
    return this.#views.map(({ keyNames }) => keyNames);
  }

  /** `entities[view][entity]` are join key values, null where one is missing: then there is no row. */
  async read(
    entities: readonly (readonly (readonly FieldValue[])[])[],
    atUs: number,
  ): Promise<readonly RowColumns[]> {
    const keys: Uint8Array[] = [];
    const finish = this.#views.map((view, v) =>
      view.prepare(entities[v] as readonly (readonly FieldValue[])[], atUs, keys),
    );
    const stored = keys.length === 0 ? [] : await this.#readMany(keys);
    return finish.map((makeColumns) => makeColumns(stored));
  }
}

/** What is asked of the store for the entities of one read. */
interface RowLookups {
  /** Where the first of their values will be. */
  readonly from: number;
  /** The partition of each, or BATCH_ROW. */
  readonly labels: readonly number[];
  /** By entity, where its values end. */
  readonly ends: readonly number[];
}

/** Newest rows. */
class RowReader implements ViewReader {
  readonly #state: StateStore;
  readonly #places: ViewPlaces;
  readonly #features: readonly string[];
  readonly #types: readonly FieldType[];
  readonly #decoders = new Map<number, RowValueDecoder>();

  constructor(options: ViewPlacesOptions, { view, features, types }: ViewFeatures) {
    this.#state = options.state;
    this.#places = new ViewPlaces(options, view);
    this.#features = features;
    this.#types = types;
  }

  get keyNames(): readonly string[] {
    return this.#places.keys.names;
  }

  prepare(
    entities: readonly (readonly FieldValue[])[],
    atUs: number,
    keys: Uint8Array[],
  ): (stored: readonly (Uint8Array | undefined)[]) => RowColumns {
    const from = keys.length;
    const labels: number[] = [];
    const { viewId } = this.#places;
    const ends = entities.map((values) => {
      if (viewId !== undefined && !values.includes(null)) {
        const entityKey = this.#places.keys.view(values);
        this.#places.find(viewId, values, ({ sourceId, partition, label }) => {
          keys.push(entityStateKey(sourceId, partition, SPACE.row, viewId, entityKey));
          labels.push(label);
        });
      }
      return keys.length;
    });
    return (stored) => this.#columns(stored, { from, labels, ends }, atUs);
  }

  #columns(
    stored: readonly (Uint8Array | undefined)[],
    { from, labels, ends }: RowLookups,
    atUs: number,
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
      const isOnly = end - start === 1 || (end - start === 2 && labels[start - from] === BATCH_ROW);
      if (found >= 0 || isOnly) partitions[e] = labels[place - from] as number;
      start = end;
      if (found < 0) continue;
      const bytes = stored[found] as Uint8Array;
      eventTimesUs[e] = this.#decoderOf(bytes).decodeInto(bytes, values, states, e);
    }
    const effectiveAtUs = new Float64Array(count).fill(atUs);
    return { values, states, eventTimesUs, partitions, effectiveAtUs };
  }

  #decoderOf(bytes: Uint8Array): RowValueDecoder {
    const layoutId = layoutIdOf(bytes);
    let decoder = this.#decoders.get(layoutId);
    if (decoder === undefined) {
      const layout = this.#state.dictionary.requireLayout(layoutId);
      decoder = new RowValueDecoder(layout, this.#features, this.#types);
      this.#decoders.set(layoutId, decoder);
    }
    return decoder;
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

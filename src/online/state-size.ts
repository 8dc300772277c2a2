import type { FeatureView } from '../definition/index.ts';
import {
  SPACE,
  type StateStore,
  statePartitions,
  tilesGroupOf,
  viewRange,
} from '../state/index.ts';

/** What a view takes of the online store, keys included, before compression. */
export interface StateSize {
  /** Entities by partition: one that is in two partitions counts twice. */
  readonly entities: number;
  readonly bytes: number;
  /** By group of a view of windows that has any, the bytes of one of its values on average. */
  readonly valueBytes: ReadonlyMap<number, number>;
}

/** Reads everything that is stored of the view. */
export async function stateSize(state: StateStore, view: FeatureView): Promise<StateSize> {
  const viewId = state.dictionary.viewId(view.name);
  const size = { entities: 0, bytes: 0 };
  const groups = new Map<number, { values: number; bytes: number }>();
  if (viewId === undefined) return { ...size, valueBytes: new Map() };
  const spaces = view.windowing === null ? [SPACE.row] : [SPACE.head, SPACE.tiles, SPACE.timer];
  for (const { sourceId, partition } of await statePartitions(state.kv)) {
    for (const space of spaces) {
      const range = viewRange(sourceId, partition, space, viewId);
      for await (const page of state.kv.scan(range)) {
        for (const [key, value] of page) {
          size.bytes += key.length + value.length;
          if (space !== SPACE.tiles) continue;
          const index = tilesGroupOf(key);
          const group = groups.get(index) ?? { values: 0, bytes: 0 };
          group.values++;
          group.bytes += key.length + value.length;
          groups.set(index, group);
        }
        if (space === spaces[0]) size.entities += page.length;
      }
    }
  }
  const means = [...groups].map(([index, { values, bytes }]) => [index, bytes / values] as const);
  return { ...size, valueBytes: new Map(means) };
}

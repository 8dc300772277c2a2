import type { FieldValue } from '../core/field-type.ts';
import type { FeatureView } from '../definition/index.ts';
import {
  entityKeyCodec,
  entityKeyOf,
  SPACE,
  type StateStore,
  statePartitions,
  viewRange,
} from '../state/index.ts';

/** The join keys of every entity that a view has something of, each once, in no order. */
export async function* entityKeys(
  state: StateStore,
  view: FeatureView,
): AsyncGenerator<Readonly<Record<string, FieldValue>>> {
  const viewId = state.dictionary.viewId(view.name);
  if (viewId === undefined) return;
  const codec = entityKeyCodec(view.joinKeys);
  const space = view.windowing === null ? SPACE.row : SPACE.head;
  const seen = new Set<string>();
  for (const { sourceId, partition } of await statePartitions(state.kv)) {
    for await (const page of state.kv.scan(viewRange(sourceId, partition, space, viewId))) {
      for (const [key] of page) {
        const bytes = entityKeyOf(key);
        const text = Buffer.from(bytes).toString('latin1');
        if (seen.has(text)) continue;
        seen.add(text);
        const values = codec.decode(bytes);
        yield Object.fromEntries(codec.names.map((name, k) => [name, values[k] as FieldValue]));
      }
    }
  }
}

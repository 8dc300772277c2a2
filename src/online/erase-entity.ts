import type { FieldValue } from '../core/field-type.ts';
import type { FeatureView } from '../definition/index.ts';
import { KvBatch } from '../kv/index.ts';
import {
  entityKeyCodec,
  entityKeyOf,
  SPACE,
  type StateStore,
  statePartitions,
  tilesPlaceOf,
  timerOf,
  viewRange,
} from '../state/index.ts';

/**
 * Deletes the stored row and windows of all entities of a view with these join key values, which may
 * be some of its join keys; answers with the number of entities. Durable once resolved; nothing may
 * be writing the view. With `dryRun` they are only counted.
 */
export async function eraseEntity(
  state: StateStore,
  view: FeatureView,
  keyValues: Readonly<Record<string, FieldValue>>,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<number> {
  const viewId = state.dictionary.viewId(view.name);
  if (viewId === undefined) return 0;
  const keys = entityKeyCodec(view.joinKeys);
  const wanted = keys.names.flatMap((name, k) =>
    Object.hasOwn(keyValues, name) ? [{ k, value: keyValues[name] as FieldValue }] : [],
  );
  const found = new Set<string>();
  const batch = new KvBatch();
  for (const { sourceId, partition } of await statePartitions(state.kv)) {
    for (const space of [SPACE.row, SPACE.head, SPACE.tiles, SPACE.timer]) {
      for await (const page of state.kv.scan(viewRange(sourceId, partition, space, viewId))) {
        for (const [key] of page) {
          const entityKey = entityKeyIn(space, key);
          const values = keys.decode(entityKey);
          if (!wanted.every(({ k, value }) => isSame(values[k], value))) continue;
          found.add(Buffer.from(entityKey).toString('latin1'));
          batch.delete(Uint8Array.from(key));
        }
      }
    }
  }
  if (!dryRun) await state.kv.write(batch, { sync: true });
  return found.size;
}

function entityKeyIn(space: number, key: Uint8Array): Uint8Array {
  if (space === SPACE.tiles) return tilesPlaceOf(key).entityKey;
  return space === SPACE.timer ? timerOf(key).entityKey : entityKeyOf(key);
}

function isSame(a: FieldValue | undefined, b: FieldValue): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return a === b;
}

import { FreshetError } from '../errors.ts';
import { KvBatch, type KvReader, type KvStore } from '../kv/index.ts';
import { Dictionary } from './dictionary.ts';
import { Homes } from './homes.ts';
import { META, metaKey, prefixRange, SPACE, stateKey, statePrefixOf } from './key-schema.ts';

/** The format of keys and values that this version writes. */
const FORMAT_VERSION = 1;

/** The engine's RocksDB: its key-value store, the ids in its keys, and where rows are. */
export interface StateStore extends AsyncDisposable {
  readonly kv: KvStore;
  readonly dictionary: Dictionary;
  readonly homes: Homes;
  /** Closes the key-value store, too. */
  close(): Promise<void>;
}

/**
 * Checks the format version (a new store gets the current one) and loads the ids. A store that was
 * opened read-only is seen as it was at that time.
 * @throws FreshetError STORE_VERSION when a newer version wrote the store
 */
export async function openStateStore(
  kv: KvStore,
  options: { readonly readOnly?: boolean } = {},
): Promise<StateStore> {
  await checkFormat(kv, options.readOnly ?? false);
  const [dictionary, homes] = await Promise.all([Dictionary.load(kv), Homes.load(kv)]);
  const close = (): Promise<void> => kv.close();
  return { kv, dictionary, homes, close, [Symbol.asyncDispose]: close };
}

/** The partitions that hold anything, by source id, in key order. */
export async function statePartitions(
  kv: KvReader,
): Promise<{ readonly sourceId: number; readonly partition: number }[]> {
  const found = [];
  let from = stateKey(1, 0, 0);
  for (;;) {
    const key = await firstKey(kv, from);
    if (key === undefined) return found;
    const { sourceId, partition } = statePrefixOf(key);
    found.push({ sourceId, partition });
    from = prefixRange(stateKey(sourceId, partition, 0).subarray(0, 4)).lt;
  }
}

/** Where the state of a view is: what was materialized of it, newest rows, or windows. */
const VIEW_SPACES = [
  SPACE.backfill,
  SPACE.row,
  SPACE.head,
  SPACE.tiles,
  SPACE.emitted,
  SPACE.timer,
];

/** Deletes all that is stored of a view in one write. No upserter of the view may be open. */
export async function deleteViewState(state: StateStore, viewName: string): Promise<void> {
  const viewId = state.dictionary.viewId(viewName);
  if (viewId === undefined) return;
  const batch = new KvBatch();
  for (const place of await statePartitions(state.kv)) deletePartitionOfView(place, viewId, batch);
  state.homes.forget(viewId, batch);
  await state.kv.write(batch);
}

/** Deletes everything but the ids: rows, positions, manifest. Nothing of it may be open. */
export async function deleteAllState(state: StateStore): Promise<void> {
  const batch = new KvBatch();
  for (const { sourceId, partition } of await statePartitions(state.kv)) {
    const { gte, lt } = prefixRange(stateKey(sourceId, partition, 0).subarray(0, 4));
    batch.deleteRange(gte, lt);
  }
  for (const viewId of state.dictionary.views.values()) state.homes.forget(viewId, batch);
  await state.kv.write(batch, { sync: true });
}

/** Puts into a batch that all of a view in one partition is deleted; what follows there stays. */
export function deletePartitionOfView(
  { sourceId, partition }: { readonly sourceId: number; readonly partition: number },
  viewId: number,
  into: KvBatch,
): void {
  for (const space of VIEW_SPACES) {
    const { gte, lt } = viewRange(sourceId, partition, space, viewId);
    into.deleteRange(gte, lt);
  }
}

/** The range of one view's keys in a space of a partition. */
export function viewRange(
  sourceId: number,
  partition: number,
  space: number,
  viewId: number,
): { gte: Uint8Array; lt: Uint8Array } {
  const prefix = Buffer.concat([
    stateKey(sourceId, partition, space),
    Buffer.from([viewId >>> 8, viewId & 0xff]),
  ]);
  return prefixRange(prefix);
}

async function firstKey(kv: KvReader, gte: Uint8Array): Promise<Uint8Array | undefined> {
  for await (const page of kv.scan({ gte, limit: 1 })) return page[0]?.[0];
  return undefined;
}

async function checkFormat(kv: KvStore, readOnly: boolean): Promise<void> {
  const stored = await kv.get(metaKey(META.format));
  if (stored === undefined) {
    if (readOnly) return; // nothing was written yet
    await kv.write(new KvBatch().put(metaKey(META.format), Buffer.from([FORMAT_VERSION])));
    return;
  }
  const version = stored[0];
  if (stored.length === 1 && version === FORMAT_VERSION) return;
  throw new FreshetError(
    'STORE_VERSION',
    `the online store has format version ${version}, this Freshet reads version ${FORMAT_VERSION}`,
  );
}

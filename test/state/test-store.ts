import { type KvStore, openKvStore } from '../../src/kv/index.ts';
import { openStateStore, type StateStore } from '../../src/state/index.ts';

/** An empty store in memory. */
export async function openTestStore(): Promise<StateStore> {
  return openStateStore(await openTestKv());
}

export function openTestKv(): Promise<KvStore> {
  return openKvStore({ binding: 'memory', path: 'none' });
}

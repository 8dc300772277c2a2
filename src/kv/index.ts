export {
  KvBatch,
  type KvBinding,
  type KvEntry,
  type KvOpenOptions,
  type KvOperation,
  type KvRange,
  type KvReader,
  type KvSnapshot,
  type KvStore,
  type KvWriteOptions,
} from './kv-store.ts';
export { openKvStore } from './open-kv-store.ts';
export { ReadCache } from './read-cache.ts';

import { FreshetError } from '../errors.ts';
import { DrivenStore } from './driven-store.ts';
import type { KvDriver } from './kv-driver.ts';
import type { KvBinding, KvOpenOptions, KvStore } from './kv-store.ts';
import { MemoryDriver } from './memory-driver.ts';
import { openRocksdbDriver } from './rocksdb-driver.ts';
import { openRocksdbNativeDriver } from './rocksdb-native-driver.ts';
import { openStoreFolder, type StoreFolder } from './store-folder.ts';

/**
 * Opens a store for writing, or read-only beside a writer.
 *
 * @throws FreshetError STORE_LOCKED, STORE_NOT_FOUND, STORE_CORRUPT, BINDING_UNSUPPORTED, DISK_FULL
 */
export async function openKvStore(options: KvOpenOptions): Promise<KvStore> {
  const { binding = 'rocksdb-native', path, readOnly = false } = options;
  if (binding === 'memory') return new DrivenStore(new MemoryDriver(), readOnly);
  const open = DRIVERS[binding];
  if (open === undefined) {
    throw new FreshetError('INVALID_ARGUMENT', `"${binding}" is not a store binding`, {
      next: 'Choose rocksdb-native, rocksdb or memory.',
    });
  }
  return new DrivenStore(await openStoreFolder(path, readOnly, open), readOnly);
}

type OpenDriver = (folder: StoreFolder) => Promise<KvDriver>;

const DRIVERS: Readonly<Record<Exclude<KvBinding, 'memory'>, OpenDriver>> = {
  'rocksdb-native': openRocksdbNativeDriver,
  rocksdb: openRocksdbDriver,
};

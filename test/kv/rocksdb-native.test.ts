import { openKvStore } from '../../src/kv/index.ts';
import { kvStoreSuite } from '../contract/kv-store.ts';

kvStoreSuite({
  name: 'rocksdb-native',
  open: (folder) => openKvStore({ ...folder, binding: 'rocksdb-native' }),
  keeps: true,
  runs: 30,
});

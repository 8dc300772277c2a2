import { openKvStore } from '../../src/kv/index.ts';
import { kvStoreSuite } from '../contract/kv-store.ts';

kvStoreSuite({
  name: 'memory',
  open: ({ path }) => openKvStore({ binding: 'memory', path }),
  keeps: false,
  runs: 500,
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openKvStore } from '../../src/kv/index.ts';
import { onlineStoreSuite } from '../contract/online-store.ts';
import { openTestKv } from '../state/test-store.ts';

const folders: string[] = [];

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

onlineStoreSuite({ name: 'memory', open: openTestKv });

onlineStoreSuite({
  name: 'rocksdb-native',
  open: async () => {
    const path = await mkdtemp(join(tmpdir(), 'freshet-online-'));
    folders.push(path);
    return openKvStore({ binding: 'rocksdb-native', path });
  },
});

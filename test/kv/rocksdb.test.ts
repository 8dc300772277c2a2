import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openKvStore } from '../../src/kv/index.ts';
import { loadBinding } from '../../src/kv/rocksdb-driver.ts';
import { kvStoreSuite } from '../contract/kv-store.ts';

const missing = whyMissing();

if (missing === null) {
  kvStoreSuite({
    name: 'rocksdb',
    open: (folder) => openKvStore({ ...folder, binding: 'rocksdb' }),
    keeps: true,
    runs: 30,
  });
} else {
  describe.skip(`key-value store: rocksdb (${missing})`, () => {
    it('passes the suite of all stores', () => {});
  });
}

describe('the binding rocksdb', () => {
  it.each(['18.20.0', '22.1.0', '24.0.0', '200.0.0'])(
    'refuses Node %s before it is loaded',
    (version) => {
      expect(() => loadBinding(version)).toThrow(
        expect.objectContaining({
          code: 'BINDING_UNSUPPORTED',
          message: expect.stringContaining(`Node ${version}`),
        }),
      );
    },
  );

  it.skipIf(missing === null)(
    'says how to install the package, or what to choose instead',
    async () => {
      await expect(
        openKvStore({ binding: 'rocksdb', path: join(tmpdir(), 'freshet-kv-none') }),
      ).rejects.toMatchObject({
        code: 'BINDING_UNSUPPORTED',
        next: expect.stringContaining('rocksdb-native'),
      });
    },
  );
});

/** The package is no dependency: its binary aborts newer Nodes, and npm would compile it for them. */
function whyMissing(): string | null {
  if (!process.versions.node.startsWith('20.')) return 'it runs on Node 20 only';
  try {
    createRequire(import.meta.url).resolve('rocksdb');
    return null;
  } catch {
    return 'the package is not installed: npm install --no-save rocksdb@5.2.1';
  }
}

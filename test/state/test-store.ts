import type { KvBatch, KvStore } from '../../src/kv/index.ts';
import { openStateStore, type StateStore } from '../../src/state/index.ts';

export async function openTestStore(): Promise<StateStore> {
  return openStateStore(await openTestKv());
}

/** A sorted map: enough of a key-value store for tests of what is above it. */
export async function openTestKv(): Promise<KvStore> {
  const map = new Map<string, readonly [Uint8Array, Uint8Array]>();
  const hex = (k: Uint8Array): string => Buffer.from(k).toString('hex');
  const kv: KvStore = {
    async write(batch: KvBatch) {
      for (const op of batch.operations) {
        if (op.type === 'put')
          map.set(hex(op.key), [Uint8Array.from(op.key), Uint8Array.from(op.value)]);
        else if (op.type === 'delete') map.delete(hex(op.key));
        else for (const k of [...map.keys()]) if (k >= hex(op.gte) && k < hex(op.lt)) map.delete(k);
      }
    },
    snapshot() {
      throw new Error('these tests take no snapshot');
    },
    async flush() {},
    async close() {},
    async get(key) {
      return map.get(hex(key))?.[1];
    },
    async getMany(keys) {
      return keys.map((k) => map.get(hex(k))?.[1]);
    },
    async *scan(range) {
      const keys = [...map.keys()]
        .filter((k) => (!range.gte || k >= hex(range.gte)) && (!range.lt || k < hex(range.lt)))
        .sort()
        .slice(0, range.limit);
      if (keys.length > 0) yield keys.map((k) => map.get(k)!);
    },
    async [Symbol.asyncDispose]() {},
  };
  return kv;
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KvBatch, type KvStore, openKvStore } from '../../src/kv/index.ts';
import { kvManifest, type Manifest, type SegmentEntry } from '../../src/segment/index.ts';
import { openStateStore, SPACE, type StateStore, stateKey } from '../../src/state/index.ts';
import { DurableKv, Machine } from '../checkpoint/machine.ts';
import { type ManifestPlace, manifestSuite } from '../contract/manifest.ts';
import { openTestStore } from '../state/test-store.ts';
import { entryOf } from './support.ts';

manifestSuite({
  name: 'in a store in memory that may lose its power',
  open: () => {
    const durable = new DurableKv();
    return KvPlace.open({
      openKv: () => durable.open(new Machine()),
      stop: async () => durable.losePower(),
    });
  },
  runs: 150,
});

manifestSuite({
  name: 'in RocksDB',
  open: async () => {
    const path = await mkdtemp(join(tmpdir(), 'freshet-manifest-'));
    return KvPlace.open({
      openKv: () => openKvStore({ path, binding: 'rocksdb-native' }),
      stop: (kv) => kv.close(),
      remove: () => rm(path, { recursive: true }),
    });
  },
  runs: 10,
});

describe('the manifest in the store of the engine', () => {
  it('writes one synced batch a commit', async () => {
    const machine = new Machine();
    const state = await openStateStore(await new DurableKv().open(machine));
    await state.dictionary.ensureSource('clicks');
    const before = machine.steps.length;
    await kvManifest(state).commit('clicks', {
      added: [entryOf({ file: 'a/1' })],
      removed: { entries: [entryOf({})], atMs: 1 },
      positions: { partition: 0, bytes: Uint8Array.of(1) },
    });
    expect(machine.steps.slice(before)).toEqual(['synced write']);
  });

  it('lists what lies beside its keys in no way', async () => {
    const state = await openTestStore();
    const manifest = kvManifest(state);
    await manifest.commit('clicks', { added: [entryOf({})] });
    const beside = [SPACE.cursor, SPACE.outbox, SPACE.gap, SPACE.row];
    const batch = new KvBatch();
    for (const space of beside) batch.put(stateKey(1, 0, space), Uint8Array.of(1));
    await state.kv.write(batch);
    expect(await manifest.entries('clicks')).toEqual([entryOf({})]);
    expect(await manifest.retired()).toEqual([]);
  });

  it('is read by another process that opens the store read-only', async () => {
    const path = await mkdtemp(join(tmpdir(), 'freshet-manifest-'));
    const binding = 'rocksdb-native' as const;
    const writer = await openStateStore(await openKvStore({ path, binding }));
    await kvManifest(writer).commit('clicks', { added: [entryOf({})] });
    const kv = await openKvStore({ path, binding, readOnly: true });
    const reader = kvManifest(await openStateStore(kv, { readOnly: true }));
    expect(await reader.entries('clicks')).toEqual([entryOf({})]);
    expect([...(await reader.snapshot())]).toEqual([['clicks', [entryOf({})]]]);
    await kv.close();
    await writer.close();
    await rm(path, { recursive: true });
  });
});

interface KvPlaceOptions {
  readonly openKv: () => Promise<KvStore>;
  /** What is done to a store when its process is gone. */
  readonly stop: (kv: KvStore) => Promise<void>;
  readonly remove?: () => Promise<void>;
}

class KvPlace implements ManifestPlace {
  readonly #options: KvPlaceOptions;
  #kv: KvStore;
  #state: StateStore;
  #fault: 'none' | 'before' | 'behind' = 'none';

  private constructor(options: KvPlaceOptions, kv: KvStore, state: StateStore) {
    this.#options = options;
    this.#kv = kv;
    this.#state = state;
  }

  static async open(options: KvPlaceOptions): Promise<KvPlace> {
    const kv = await options.openKv();
    return new KvPlace(options, kv, await openStateStore(kv));
  }

  get manifest(): Manifest {
    const kv = this.#kv;
    const { dictionary } = this.#state;
    const breaking: KvStore = {
      get: (key) => kv.get(key),
      getMany: (keys) => kv.getMany(keys),
      scan: (range) => kv.scan(range),
      snapshot: () => kv.snapshot(),
      flush: () => kv.flush(),
      purge: () => kv.purge(),
      close: () => kv.close(),
      [Symbol.asyncDispose]: () => kv.close(),
      write: async (batch, options) => {
        const fault = this.#fault;
        this.#fault = 'none';
        if (fault === 'before') throw new Error('the store fails before it writes');
        await kv.write(batch, options);
        if (fault === 'behind') throw new Error('the store fails behind its write');
      },
    };
    return kvManifest({ kv: breaking, dictionary });
  }

  async positions(source: string, partition: number): Promise<Uint8Array | undefined> {
    const sourceId = this.#state.dictionary.sourceId(source);
    if (sourceId === undefined) return undefined;
    return this.#kv.get(stateKey(sourceId, partition, SPACE.cursor));
  }

  failNext(done: boolean): void {
    this.#fault = done ? 'behind' : 'before';
  }

  async restart(): Promise<void> {
    await this.#options.stop(this.#kv);
    this.#kv = await this.#options.openKv();
    this.#state = await openStateStore(this.#kv);
  }

  async damage(entry: SegmentEntry, spoil: (bytes: Uint8Array) => Uint8Array): Promise<void> {
    const sourceId = this.#state.dictionary.sourceId(entry.source) as number;
    const gte = stateKey(sourceId, entry.partition, SPACE.segment);
    for await (const page of this.#kv.scan({ gte, limit: 1 })) {
      for (const [key, value] of page) {
        await this.#kv.write(
          new KvBatch().put(Uint8Array.from(key), Uint8Array.from(spoil(value))),
        );
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kv.close();
    await this.#options.remove?.();
  }
}

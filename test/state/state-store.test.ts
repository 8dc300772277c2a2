import { describe, expect, it } from 'vitest';
import { KvBatch } from '../../src/kv/index.ts';
import {
  deleteAllState,
  deleteViewState,
  entityStateKey,
  openStateStore,
  SPACE,
  stateKey,
  statePartitions,
} from '../../src/state/index.ts';
import { META, metaKey } from '../../src/state/key-schema.ts';
import { openTestKv, openTestStore } from './test-store.ts';

const VALUE = Uint8Array.of(1);

describe('openStateStore', () => {
  it('writes its format version into a new store and opens it again', async () => {
    const kv = await openTestKv();
    await openStateStore(kv);
    expect(await kv.get(metaKey(META.format))).toEqual(Uint8Array.of(1));
    await openStateStore(kv);
  });

  it('writes nothing when it may only read', async () => {
    const kv = await openTestKv();
    await openStateStore(kv, { readOnly: true });
    expect(await kv.get(metaKey(META.format))).toBeUndefined();
  });

  it('refuses a store of a newer version', async () => {
    const kv = await openTestKv();
    await kv.write(new KvBatch().put(metaKey(META.format), Uint8Array.of(2)));
    await expect(openStateStore(kv)).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_VERSION' }),
    );
  });
});

describe('statePartitions', () => {
  it('names each partition that holds anything, once', async () => {
    const { kv } = await openTestStore();
    const batch = new KvBatch();
    for (const [source, partition] of [
      [1, 0],
      [1, 3],
      [0xffff, 0xffff],
    ] as const) {
      batch.put(stateKey(source, partition, SPACE.cursor), VALUE);
      batch.put(entityStateKey(source, partition, SPACE.row, 1, VALUE), VALUE);
    }
    await kv.write(batch);
    expect(await statePartitions(kv)).toEqual([
      { sourceId: 1, partition: 0 },
      { sourceId: 1, partition: 3 },
      { sourceId: 0xffff, partition: 0xffff },
    ]);
  });

  it('is empty for a new store', async () => {
    expect(await statePartitions((await openTestStore()).kv)).toEqual([]);
  });
});

describe('deleteViewState', () => {
  it('takes the rows of one view from every partition and leaves the others', async () => {
    const state = await openTestStore();
    const [gone, kept] = [
      await state.dictionary.ensureView('gone'),
      await state.dictionary.ensureView('kept'),
    ];
    const batch = new KvBatch();
    for (const view of [gone, kept]) {
      for (const partition of [0, 1]) {
        batch.put(entityStateKey(1, partition, SPACE.row, view, VALUE), VALUE);
      }
    }
    await state.kv.write(batch);
    await deleteViewState(state, 'gone');
    const left = async (view: number, partition: number): Promise<boolean> =>
      (await state.kv.get(entityStateKey(1, partition, SPACE.row, view, VALUE))) !== undefined;
    expect([await left(gone, 0), await left(gone, 1)]).toEqual([false, false]);
    expect([await left(kept, 0), await left(kept, 1)]).toEqual([true, true]);
    await deleteViewState(state, 'never there');
  });
});

describe('deleteAllState', () => {
  it('takes everything from every partition and keeps the ids', async () => {
    const state = await openTestStore();
    const source = await state.dictionary.ensureSource('clicks');
    const view = await state.dictionary.ensureView('counts');
    await state.homes.ensure(view, 4);
    const batch = new KvBatch();
    for (const partition of [0, 0xffff]) {
      batch.put(stateKey(source, partition, SPACE.cursor), VALUE);
      batch.put(entityStateKey(0xffff, partition, SPACE.row, view, VALUE), VALUE);
    }
    await state.kv.write(batch);
    await deleteAllState(state);
    expect(await statePartitions(state.kv)).toEqual([]);
    expect(state.homes.get(view)).toBeUndefined();
    expect(state.dictionary.sourceId('clicks')).toBe(source);
  });
});

import { channel } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { encodePositions, recoverSegments, startPositions } from '../../src/checkpoint/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { kvManifest, type SegmentStore, type SweepOptions } from '../../src/segment/index.ts';
import { SPACE, stateKey } from '../../src/state/index.ts';
import { Bench, openTestDuckdb } from '../pipeline/bench.ts';
import { entryOf } from '../segment/support.ts';
import { openTestStore } from '../state/test-store.ts';

/** Notes what it is asked to sweep, and answers with the files. */
function sweeping(files: string[]) {
  const asked: { live: string[]; storeIsNew: boolean | undefined }[] = [];
  const store = {
    sweep: async (live: ReadonlySet<string>, options: SweepOptions) => {
      asked.push({ live: [...live].sort(), storeIsNew: options.storeIsNew });
      return files;
    },
  } as unknown as SegmentStore;
  return { asked, store };
}

describe('the sweep at the start', () => {
  it('spares the files that the manifest names, and those it has retired, of all sources and partitions', async () => {
    const state = await openTestStore();
    const manifest = kvManifest(state);
    const retired = entryOf({ file: 'a/0', startOffset: 10, endOffset: 20 });
    await manifest.commit('clicks', { added: [entryOf({ file: 'a/1' }), retired] });
    await manifest.commit('clicks', {
      added: [{ ...retired, file: 'a/2' }, entryOf({ file: null, partition: 3 })],
      removed: { entries: [retired], atMs: 0 },
    });
    await manifest.commit('orders', {
      added: [entryOf({ file: 'b/1', partition: 1 })],
      positions: { partition: 1, bytes: encodePositions(startPositions(0)) },
    });
    const { asked, store } = sweeping([]);
    expect(await recoverSegments(state, manifest, store)).toEqual([]);
    expect(asked).toEqual([{ live: ['a/0', 'a/1', 'a/2', 'b/1'], storeIsNew: false }]);
  });

  it('knows a store that has read something from a new one, though nothing is published', async () => {
    const state = await openTestStore();
    const fresh = sweeping([]);
    await recoverSegments(state, kvManifest(state), fresh.store);
    expect(fresh.asked).toEqual([{ live: [], storeIsNew: true }]);
    await state.kv.write(
      new KvBatch().put(stateKey(1, 2, SPACE.cursor), encodePositions(startPositions(0))),
    );
    const used = sweeping([]);
    await recoverSegments(state, kvManifest(state), used.store);
    expect(used.asked).toEqual([{ live: [], storeIsNew: false }]);
  });

  it('deletes nothing when the store is lost, and names a file that is left', async () => {
    const duckdb = await openTestDuckdb();
    try {
      await using bench = await Bench.open(duckdb);
      await bench.append([{ user: 'ann', at: 1, amount: 1 }]);
      const engine = await bench.engine(await bench.start());
      await engine.caughtUp();
      await engine.stop();
      const { entries } = await bench.outcome();
      const error = { code: 'STORE_LOST', where: { file: entries[0]!.file } };
      bench.loseStore();
      await expect(bench.start()).rejects.toMatchObject(error);
      await expect(bench.start()).rejects.toMatchObject(error);
    } finally {
      await duckdb.close();
    }
  });

  it('tells which files it removed', async () => {
    const told: unknown[] = [];
    const listen = (event: unknown) => told.push(event);
    channel('freshet:swept').subscribe(listen);
    const state = await openTestStore();
    const manifest = kvManifest(state);
    const { store } = sweeping(['a/x.parquet.tmp']);
    expect(await recoverSegments(state, manifest, store)).toEqual(['a/x.parquet.tmp']);
    await recoverSegments(state, manifest, sweeping([]).store);
    channel('freshet:swept').unsubscribe(listen);
    expect(told).toEqual([{ files: ['a/x.parquet.tmp'] }]);
  });
});

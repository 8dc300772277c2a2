import { channel } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { encodePositions, recoverSegments, startPositions } from '../../src/checkpoint/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { putEntry, type SegmentStore, type SweepOptions } from '../../src/segment/index.ts';
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
  it('spares the files that the manifest names, of all sources and partitions', async () => {
    const state = await openTestStore();
    const batch = new KvBatch();
    putEntry(batch, 1, entryOf({ file: 'a/1' }));
    putEntry(batch, 1, entryOf({ file: 'a/2', startOffset: 10, endOffset: 20 }));
    putEntry(batch, 1, entryOf({ file: null, partition: 3 }));
    putEntry(batch, 2, entryOf({ file: 'b/1', partition: 1 }));
    batch.put(stateKey(2, 1, SPACE.cursor), encodePositions(startPositions(0)));
    await state.kv.write(batch);
    const { asked, store } = sweeping([]);
    expect(await recoverSegments(state, store)).toEqual([]);
    expect(asked).toEqual([{ live: ['a/1', 'a/2', 'b/1'], storeIsNew: false }]);
  });

  it('knows a store that has read something from a new one, though nothing is published', async () => {
    const state = await openTestStore();
    const fresh = sweeping([]);
    await recoverSegments(state, fresh.store);
    expect(fresh.asked).toEqual([{ live: [], storeIsNew: true }]);
    await state.kv.write(
      new KvBatch().put(stateKey(1, 2, SPACE.cursor), encodePositions(startPositions(0))),
    );
    const used = sweeping([]);
    await recoverSegments(state, used.store);
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
    const { store } = sweeping(['a/x.parquet.tmp']);
    expect(await recoverSegments(await openTestStore(), store)).toEqual(['a/x.parquet.tmp']);
    await recoverSegments(await openTestStore(), sweeping([]).store);
    channel('freshet:swept').unsubscribe(listen);
    expect(told).toEqual([{ files: ['a/x.parquet.tmp'] }]);
  });
});

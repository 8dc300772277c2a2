import { describe, expect, it } from 'vitest';
import { KvBatch } from '../../src/kv/index.ts';
import { kvManifest, type ManifestReader, SegmentTotalsCache } from '../../src/segment/index.ts';
import { SPACE, stateKey } from '../../src/state/index.ts';
import { openTestStore } from '../state/test-store.ts';
import { entryOf } from './support.ts';

async function open() {
  const state = await openTestStore();
  const manifest = kvManifest(state);
  const listed: string[] = [];
  const watched: ManifestReader = {
    entries: () => Promise.reject(new Error('lists all')),
    snapshot: () => Promise.reject(new Error('lists all')),
    revisions: (source) => manifest.revisions(source),
    entriesOf: (source, partition) => {
      listed.push(`${source} ${partition}`);
      return manifest.entriesOf(source, partition);
    },
  };
  const cache = new SegmentTotalsCache();
  return {
    state,
    manifest,
    totals: (source = 'clicks') => cache.of(watched, source),
    /** What was listed since it was last asked. */
    listed: () => listed.splice(0),
  };
}

describe('the totals of the segments of a source', () => {
  const cut = entryOf({ startOffset: 0, endOffset: 10, rowCount: 7, bytes: 100 });
  const empty = entryOf({ startOffset: 10, endOffset: 20, file: null, rowCount: 0, bytes: 0 });
  const beside = entryOf({ partition: 1, rowCount: 1, bytes: 10 });

  it('are sums over its partitions; a cut without rows is no file', async () => {
    const { manifest, totals } = await open();
    expect(await totals()).toEqual({ files: 0, rows: 0, bytes: 0 });
    await manifest.commit('clicks', { added: [cut, empty, beside] });
    expect(await totals()).toEqual({ files: 2, rows: 8, bytes: 110 });
    expect(await totals('orders')).toEqual({ files: 0, rows: 0, bytes: 0 });
  });

  it('are given again without a list, and after a commit with that of its partition alone', async () => {
    const { manifest, totals, listed } = await open();
    await manifest.commit('clicks', { added: [cut, beside] });
    await manifest.commit('orders', { added: [entryOf({ source: 'orders' })] });
    await totals();
    expect(listed()).toEqual(['clicks 0', 'clicks 1']);
    await totals();
    expect(listed()).toEqual([]);
    const removed = { entries: [beside], atMs: 1 };
    await manifest.commit('clicks', { added: [{ ...beside, file: 'g1', bytes: 4 }], removed });
    expect(await totals()).toEqual({ files: 2, rows: 8, bytes: 104 });
    expect(listed()).toEqual(['clicks 1']);
  });

  it('of a store that has no revisions yet are listed until it has', async () => {
    const { state, manifest, totals, listed } = await open();
    await manifest.commit('clicks', { added: [cut] });
    const key = stateKey(state.dictionary.sourceId('clicks') as number, 0, SPACE.revision);
    await state.kv.write(new KvBatch().delete(key));
    await totals();
    await totals();
    expect(listed()).toEqual(['clicks 0', 'clicks 0']);
    await manifest.commit('clicks', { added: [empty] });
    await totals();
    await totals();
    expect(listed()).toEqual(['clicks 0']);
  });
});

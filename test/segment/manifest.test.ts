import { describe, expect, it } from 'vitest';
import { KvBatch, type KvReader } from '../../src/kv/index.ts';
import {
  decodeEntry,
  encodeEntry,
  listEntries,
  liveFiles,
  putEntry,
  removeEntry,
} from '../../src/segment/index.ts';
import { SPACE, stateKey } from '../../src/state/index.ts';
import { entryOf } from './support.ts';

describe('the manifest', () => {
  it('lists the entries of one source by partition and offset', async () => {
    const batch = new KvBatch();
    const entries = [
      entryOf({ partition: 0, startOffset: 0, endOffset: 9 }),
      entryOf({ partition: 0, startOffset: 9, endOffset: 300 }),
      entryOf({ partition: 300, startOffset: 0, endOffset: 1 }),
    ];
    for (const entry of [...entries].reverse()) putEntry(batch, 7, entry);
    putEntry(batch, 8, entryOf({ partition: 1 }));
    batch.put(stateKey(7, 0, SPACE.cursor), Uint8Array.of(1));
    batch.put(stateKey(7, 5, SPACE.row), Uint8Array.of(1));
    expect(await listEntries(readerOf(batch), 7)).toEqual(entries);
    expect(await listEntries(readerOf(batch), 9)).toEqual([]);
  });

  it('forgets a removed entry', async () => {
    const batch = new KvBatch();
    const entry = entryOf({});
    putEntry(batch, 7, entry);
    removeEntry(batch, 7, entry);
    expect(await listEntries(readerOf(batch), 7)).toEqual([]);
  });

  it('names the live files, and none for a cut without rows', () => {
    const entries = [entryOf({ file: 'a/1.parquet' }), entryOf({ file: null })];
    expect(liveFiles(entries)).toEqual(new Set(['a/1.parquet']));
  });

  it('refuses entries that overlap', async () => {
    const batch = new KvBatch();
    putEntry(batch, 7, entryOf({ startOffset: 0, endOffset: 10 }));
    putEntry(batch, 7, entryOf({ startOffset: 9, endOffset: 20 }));
    await expect(listEntries(readerOf(batch), 7)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });

  it('gives an entry back as it was put', () => {
    const entry = entryOf({ file: null, minEventTimeUs: null });
    expect(decodeEntry(encodeEntry(entry))).toStrictEqual(entry);
  });

  it('refuses another version, and bytes that are no entry', () => {
    const bytes = encodeEntry(entryOf({}));
    expect(() => decodeEntry(Uint8Array.of(2, ...bytes.subarray(1)))).toThrow(/version 2/);
    expect(() => decodeEntry(bytes.subarray(0, 20))).toThrow(/not what/);
    expect(() => decodeEntry(Uint8Array.of(1, 0x7b, 0x7d))).toThrow(/not what/);
  });
});

/** What a store holds once the batch was written, in key order. */
function readerOf(batch: KvBatch): KvReader {
  const map = new Map<string, Uint8Array>();
  for (const operation of batch.operations) {
    if (operation.type === 'put') map.set(hex(operation.key), operation.value);
    if (operation.type === 'delete') map.delete(hex(operation.key));
  }
  const sorted = [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    get: async (key) => map.get(hex(key)),
    getMany: async (keys) => keys.map((key) => map.get(hex(key))),
    async *scan({ gte, lt, limit = Number.POSITIVE_INFINITY }) {
      const found = sorted.filter(
        ([key]) => (gte === undefined || key >= hex(gte)) && (lt === undefined || key < hex(lt)),
      );
      yield found.slice(0, limit).map(([key, value]) => [Buffer.from(key, 'hex'), value] as const);
    },
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

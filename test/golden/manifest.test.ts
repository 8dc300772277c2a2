import { describe, expect, it } from 'vitest';
import { KvBatch } from '../../src/kv/index.ts';
import { kvManifest, schemaFingerprint } from '../../src/segment/index.ts';
import { putEntry } from '../../src/segment/kv-manifest.ts';
import { entryOf } from '../segment/support.ts';
import { openTestStore } from '../state/test-store.ts';

describe('the bytes of a manifest entry', () => {
  it('never change', () => {
    const batch = new KvBatch();
    putEntry(
      batch,
      0x0102,
      entryOf({ partition: 3, startOffset: 2 ** 32, endOffset: 2 ** 32 + 9 }),
    );
    const [operation] = batch.operations;
    if (operation?.type !== 'put') throw new Error('an entry is one put');
    expect(Buffer.from(operation.key).toString('hex')).toBe('01020003040000000100000000');
    expect(operation.value[0]).toBe(1);
    expect(Buffer.from(operation.value.subarray(1)).toString()).toBe(
      '{"file":"clicks/clicks-0-0-10-0123456789abcdef.parquet","source":"clicks","topic":"clicks",' +
        '"partition":3,"startOffset":4294967296,"endOffset":4294967305,"rowCount":3,"bytes":1000,' +
        '"minEventTimeUs":-1,"maxEventTimeUs":5,"minArrivalTimeUs":2,"maxArrivalTimeUs":6,' +
        `"maxLateUs":0,"fingerprint":"0123456789abcdef","contentHash":"${'ab'.repeat(32)}",` +
        '"columns":[{"name":"user","type":"string"},{"name":"at","type":"timestamp"}],' +
        '"createdAtMs":1700000000000}',
    );
  });
});

describe('the keys and values of a commit', () => {
  it('never change', async () => {
    const state = await openTestStore();
    for (let id = 1; id < 0x0102; id++) await state.dictionary.ensureSource(`source ${id}`);
    await kvManifest(state).commit('clicks', {
      added: [
        entryOf({ rewrite: { generation: 2, part: 0, parts: 259 } }),
        entryOf({ rewrite: { generation: 2, part: 258, parts: 259 } }),
      ],
      removed: { entries: [entryOf({ partition: 3, file: 'c/é' })], atMs: 1.5 },
      positions: { partition: 3, bytes: Uint8Array.of(7, 8) },
    });
    const written: string[] = [];
    for await (const page of state.kv.scan({ gte: Uint8Array.of(1, 2) })) {
      for (const [key, value] of page) {
        const isEntry = key[4] === 4;
        written.push(
          `${hex(key)} ${isEntry ? Buffer.from(value).toString().slice(-52) : hex(value)}`,
        );
      }
    }
    expect(written).toEqual([
      '01020000040000000000000000 000,"rewrite":{"generation":2,"part":0,"parts":259}}',
      '010200000400000000000000000102 0,"rewrite":{"generation":2,"part":258,"parts":259}}',
      '0102000007 58ae7f90e602d26ce7b36982ab9c9c7b',
      '0102000301 0708',
      '0102000306632fc3a9 3ff8000000000000',
      '0102000307 58ae7f90e602d26ce7b36982ab9c9c7b',
    ]);
  });
});

describe('the fingerprint of a schema', () => {
  it('never changes', () => {
    const columns = [
      { name: 'user', type: 'string' },
      { name: 'at', type: 'timestamp' },
    ] as const;
    expect(schemaFingerprint(columns)).toBe('6f7c2c986e7520f2');
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

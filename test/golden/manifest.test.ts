import { describe, expect, it } from 'vitest';
import { KvBatch } from '../../src/kv/index.ts';
import { putEntry, schemaFingerprint } from '../../src/segment/index.ts';
import { entryOf } from '../segment/support.ts';

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

describe('the fingerprint of a schema', () => {
  it('never changes', () => {
    const columns = [
      { name: 'user', type: 'string' },
      { name: 'at', type: 'timestamp' },
    ] as const;
    expect(schemaFingerprint(columns)).toBe('6f7c2c986e7520f2');
  });
});

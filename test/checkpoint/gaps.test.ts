import { describe, expect, it } from 'vitest';
import { type Gap, listGaps, putGap } from '../../src/checkpoint/gaps.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { openTestKv } from '../state/test-store.ts';

const GAP: Gap = { partition: 3, of: 'history', fromOffset: 7, toOffset: 20, skippedAtMs: 99 };

describe('the gaps of a source', () => {
  it('have bytes that never change', () => {
    const batch = new KvBatch();
    putGap(batch, 1, GAP);
    const [operation] = batch.operations;
    if (operation?.type !== 'put') throw new Error('a gap is one put');
    expect(Buffer.from(operation.key).toString('hex')).toBe('0001000305000000000000000701');
    expect(Buffer.from(operation.value).toString()).toBe(
      '{"version":1,"toOffset":20,"skippedAtMs":99}',
    );
  });

  it('are listed by partition and offset, those of the source alone', async () => {
    const kv = await openTestKv();
    const batch = new KvBatch();
    const state: Gap = { ...GAP, of: 'state' };
    const first: Gap = { ...GAP, partition: 0, fromOffset: 300 };
    const later: Gap = { ...GAP, fromOffset: 256 };
    for (const gap of [later, GAP, state, first]) putGap(batch, 1, gap);
    putGap(batch, 2, GAP);
    await kv.write(batch);
    expect(await listGaps(kv, 1)).toEqual([first, state, GAP, later]);
    expect(await listGaps(kv, 3)).toEqual([]);
  });

  it.each([
    ['no JSON', '{', 'STORE_CORRUPT'],
    ['another version', '{"version":2}', 'STORE_VERSION'],
  ])('with %s fail', async (_, value, code) => {
    const kv = await openTestKv();
    const batch = new KvBatch();
    putGap(batch, 1, GAP);
    const { key } = batch.operations[0] as { key: Uint8Array };
    await kv.write(new KvBatch().put(key, Buffer.from(value)));
    await expect(listGaps(kv, 1)).rejects.toMatchObject({ code });
    const ofNothing = Buffer.concat([key.subarray(0, -1), Buffer.from([9])]);
    await kv.write(new KvBatch().delete(key).put(ofNothing, Buffer.from('{"version":1}')));
    await expect(listGaps(kv, 1)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });
});

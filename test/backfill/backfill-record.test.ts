import { describe, expect, it } from 'vitest';
import { putBackfill, readBackfill } from '../../src/backfill/backfill-record.ts';
import type { BackfillRecord } from '../../src/backfill/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { openState } from './support.ts';

const PLACE = { sourceId: 2, viewId: 0x0103 };
const RECORD: BackfillRecord = {
  intervals: [
    { startUs: -5, endUs: 9 },
    { startUs: 20, endUs: 9_007_199_254_740_991 },
  ],
  redo: [{ startUs: 30, endUs: 40 }],
  files: { '/history/b.parquet': '12-3.5', '/history/a.parquet': '1-2' },
};

describe('the record of a backfill', () => {
  it('is nothing where there is none', async () => {
    expect(await readBackfill(await openState(), PLACE)).toEqual({
      intervals: [],
      redo: [],
      files: {},
    });
  });

  it('is read as it was written, files in their order', async () => {
    const state = await openState();
    const batch = new KvBatch();
    putBackfill(batch, PLACE, RECORD);
    await state.kv.write(batch);
    const found = await readBackfill(state, PLACE);
    expect(found).toEqual(RECORD);
    expect(Object.keys(found.files)).toEqual(Object.keys(RECORD.files));
    expect((await readBackfill(state, { ...PLACE, viewId: 1 })).intervals).toEqual([]);
  });

  it('has bytes that must not change', () => {
    const batch = new KvBatch();
    putBackfill(batch, PLACE, { ...RECORD, intervals: [{ startUs: 1, endUs: 2 }], files: {} });
    const [put] = batch.operations;
    if (put?.type !== 'put') throw new Error('nothing is put');
    expect(Buffer.from(put.key).toString('hex')).toBe('00020000030103');
    expect(Buffer.from(put.value).toString()).toBe(
      '{"version":1,"intervals":[{"startUs":1,"endUs":2}],"redo":[{"startUs":30,"endUs":40}],"files":{}}',
    );
  });

  it.each([
    ['is of another version', '{"version":2}', 'STORE_VERSION'],
    ['is cut short', '{"version":1,"inter', 'STORE_CORRUPT'],
    ['is nothing', 'null', 'STORE_CORRUPT'],
    ['lacks its intervals', '{"version":1,"files":{}}', 'STORE_CORRUPT'],
  ])('that %s is refused', async (_, text, code) => {
    const state = await openState();
    const key = Buffer.from('00020000030103', 'hex');
    await state.kv.write(new KvBatch().put(key, Buffer.from(text)));
    await expect(readBackfill(state, PLACE)).rejects.toMatchObject({ code });
  });
});

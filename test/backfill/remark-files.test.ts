import { describe, expect, it } from 'vitest';
import {
  type BackfillRecord,
  putBackfill,
  readBackfill,
} from '../../src/backfill/backfill-record.ts';
import { remarkFiles } from '../../src/backfill/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import type { StateStore } from '../../src/state/index.ts';
import { interval, openState } from './support.ts';

const PLACE = { sourceId: 1, viewId: 2 };
const MARKS = new Map([['b', { before: 'b1', after: 'b2' }]]);
const DONE = { intervals: [interval(0, 9)], redo: [] };

describe('the record of a view whose parts were written anew', () => {
  it('has their new marks, so that nothing is read again', async () => {
    const state = await stateWith({ ...DONE, files: { a: 'a1', b: 'b1' } });
    await remarkFiles(state, PLACE, MARKS);
    expect(await readBackfill(state, PLACE)).toEqual({ ...DONE, files: { a: 'a1', b: 'b2' } });
  });

  it('keeps the mark of a part that was not loaded as it was before', async () => {
    const record = { ...DONE, files: { b: 'b0' } };
    const state = await stateWith(record);
    await remarkFiles(state, PLACE, MARKS);
    expect(await readBackfill(state, PLACE)).toEqual(record);
  });

  it('forgets the key at which a run was stopped: all is to be done again', async () => {
    const slice = { range: interval(10, 19), after: { keys: ['forget.me'], offset: 3 } };
    const state = await stateWith({ ...DONE, files: { a: 'a1' }, slice });
    await remarkFiles(state, PLACE, new Map());
    expect(await readBackfill(state, PLACE)).toEqual({
      intervals: [],
      redo: DONE.intervals,
      files: {},
    });
  });
});

async function stateWith(record: BackfillRecord): Promise<StateStore> {
  const state = await openState();
  const batch = new KvBatch();
  putBackfill(batch, PLACE, record);
  await state.kv.write(batch);
  return state;
}

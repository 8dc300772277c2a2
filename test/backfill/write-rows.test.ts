import { describe, expect, it } from 'vitest';
import { writeRows } from '../../src/backfill/index.ts';
import { type FeatureView, featureView } from '../../src/definition/index.ts';
import { storeChecksum } from '../../src/online/index.ts';
import type { StateStore } from '../../src/state/index.ts';
import { failure, interval, openState, SOURCE, stored, T0, VIEW, withBench } from './support.ts';

const NOW_US = T0 + 3_600_000_000;

function write(state: StateStore, rows: readonly object[], nowUs = NOW_US): Promise<void> {
  return writeRows(state, [VIEW], SOURCE, rows as never, nowUs);
}

describe('rows that are written to the online store', () => {
  it('are served, the newest of each entity, whatever their order', async () => {
    const state = await openState();
    await write(state, [
      { user: 'a', at: T0 + 2, amount: 2 },
      { user: 'a', at: T0 + 1, amount: 1 },
      { user: 'b', at: '2025-01-01T01:00:00+01:00', amount: 3n },
    ]);
    await write(state, [{ user: 'a', at: T0 + 1, amount: 9 }]);
    expect(await stored(state)).toEqual({ a: [2, 2], b: [3, 0] });
  });

  it('win over earlier ones of the same time, within a call and between calls', async () => {
    const state = await openState();
    await write(state, [
      { user: 'a', at: T0, amount: 1 },
      { user: 'a', at: T0, amount: 2 },
    ]);
    expect((await stored(state))['a']).toEqual([2, 0]);
    await write(state, [{ user: 'a', at: T0, amount: 3 }], NOW_US + 1_000);
    expect((await stored(state))['a']).toEqual([3, 0]);
  });

  it('are judged by their created time first', async () => {
    const state = await openState();
    await write(state, [{ user: 'a', at: T0, made: T0 + 9, amount: 1 }]);
    await write(state, [{ user: 'a', at: T0, made: T0 + 8, amount: 2 }], NOW_US + 1_000);
    expect((await stored(state))['a']).toEqual([1, 0]);
  });

  it('may lack features, which are absent then; null is a value', async () => {
    const state = await openState();
    await write(state, [{ user: 'a', at: T0, amount: null }]);
    expect((await stored(state))['a']).toEqual([null, 0]);
    await write(state, [{ user: 'b', at: T0 }]);
    expect((await stored(state))['b']).toEqual([undefined, 0]);
  });

  it('are not regressed by a backfill, and do not regress one', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', [
        { user: 'older', at: 1, amount: 1 },
        { user: 'newer', at: 9, amount: 1 },
      ]);
      const state = await openState();
      await write(state, [
        { user: 'older', at: T0 + 5, amount: 2 },
        { user: 'newer', at: T0 + 5, amount: 2 },
      ]);
      await bench.materialize(state, interval(0, 10));
      expect(await stored(state)).toEqual({ older: [2, 5], newer: [1, 9] });
    }));

  it('may be none', async () => {
    const state = await openState();
    await write(state, []);
    expect(await storeChecksum(state)).toEqual({});
  });

  it('belong to the one entity of a view without entities', async () => {
    const state = await openState();
    const view = featureView({
      name: 'global',
      source: SOURCE,
      schema: { amount: 'int64' },
    }) as unknown as FeatureView;
    await writeRows(state, [view], SOURCE, [{ at: T0, amount: 1 }], NOW_US);
    expect((await storeChecksum(state))['global']?.rows).toBe(1);
  });
});

describe('a row that cannot be written', () => {
  it.each<[string, object, object]>([
    ['has no key', { at: T0, amount: 1 }, { code: 'ROW_KEY_NULL', where: { column: 'user' } }],
    ['has a null key', { user: null, at: T0 }, { code: 'ROW_KEY_NULL' }],
    ['has no time', { user: 'b', amount: 1 }, { code: 'ROW_TIME_NULL', where: { column: 'at' } }],
    ['has a null time', { user: 'b', at: null }, { code: 'ROW_TIME_NULL' }],
    ['has a time that is none', { user: 'b', at: 'soon' }, { code: 'ROW_TYPE' }],
    ['has another type', { user: 'b', at: T0, amount: 'x' }, { where: { column: 'amount' } }],
    ['has half a number', { user: 'b', at: T0, amount: 1.5 }, { code: 'ROW_TYPE' }],
    ['has a key of another type', { user: {}, at: T0 }, { where: { column: 'user' } }],
  ])('because it %s keeps all rows out and is named', async (_, bad, problem) => {
    const state = await openState();
    const error = await failure(write(state, [{ user: 'a', at: T0, amount: 1 }, bad]));
    expect(error).toMatchObject(problem);
    expect(error.where).toMatchObject({ view: 'spending', row: 1 });
    expect(error.code).toMatch(/^ROW_/);
    expect(await stored(state)).toEqual({});
  });
});

import { describe, expect, it } from 'vitest';
import type { FieldValue } from '../../src/core/field-type.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import type { Windowing } from '../../src/definition/index.ts';
import {
  applyRow,
  MemoryWindows,
  planWindows,
  readWindows,
  windowRowReader,
} from '../../src/window/index.ts';
import { makeRows } from '../online/make-rows.ts';
import { naiveWindows } from '../oracle/naive-windows.ts';
import {
  COLUMNS,
  differing,
  everyWindow,
  fieldsOf,
  GRACE_US,
  generateStream,
  generator,
  KEYS,
  naiveRow,
  type StreamRow,
  seeds,
} from './streams.ts';

const view = everyWindow({ keyed: true, partitions: 1 });
const windowing = view.windowing as Windowing;
const plan = planWindows(view, windowing);
const everything = plan.groups.map(() => Number.NEGATIVE_INFINITY);

/** Windows of one entity after its rows came in the order given. */
function windowsOf(rows: readonly StreamRow[]): MemoryWindows {
  const windows = new MemoryWindows();
  const reader = windowRowReader(view, windowing, plan, rowLayout(COLUMNS));
  for (const row of rows) {
    const batch = makeRows(COLUMNS, [fieldsOf(row)]);
    const inOrder = { ...batch, rank: RANK_STREAM, partition: row.partition } as const;
    const { columns } = reader(batch);
    applyRow(plan, GRACE_US, windows, columns, inOrder, 0, row.lateByUs, everything);
  }
  return windows;
}

function naive(rows: readonly StreamRow[], atUs: number): Record<string, FieldValue> | null {
  return naiveWindows(windowing.aggregations, COLUMNS, rows.map(naiveRow), GRACE_US, atUs);
}

function read(windows: MemoryWindows, atUs: number): Record<string, FieldValue> | null {
  const { values } = readWindows(plan, windows, atUs);
  return values.size === 0 ? null : Object.fromEntries(values);
}

/** Hold rows behind q whatever q is: a read cannot take them out. */
const HOLDS_NEWER = /^(open|uneven|localDay|session|lifetime|lastRows)_/;

describe('readWindows', () => {
  it.each(seeds(12))(
    'gives every window and function as the naive oracle does, seed %i',
    (seed) => {
      const random = generator(seed + 1_000);
      for (const key of KEYS) {
        const rows = generateStream({ seed, count: 120 }).filter((row) => row.key === key);
        for (const length of [1, 2, 9, Math.floor(rows.length / 2), rows.length]) {
          const known = rows.slice(0, length);
          const windows = windowsOf(known);
          const newestUs = Math.max(...known.map(({ at }) => at));
          for (const laterUs of [0, 1, Math.floor(random() * 3e7), Math.floor(random() * 1e11)]) {
            const atUs = newestUs + laterUs;
            const found = differing(read(windows, atUs), naive(known, atUs));
            expect(found, `${key}, ${length} rows, +${laterUs}`).toEqual({});
          }
        }
      }
    },
  );

  it.each(seeds(8))(
    'reads before newer rows: exact windows to the microsecond, stepped ones at a tile edge, seed %i',
    (seed) => {
      const random = generator(seed);
      const rows = generateStream({ seed, count: 120 }).filter(({ key }) => key === 'ann');
      const windows = windowsOf(rows);
      const newestUs = Math.max(...rows.map(({ at }) => at));
      for (let i = 0; i < 20; i++) {
        const atUs = newestUs - Math.floor(random() ** 3 * 1e9) - 1;
        const got = read(windows, atUs);
        const want = naive(rows, atUs);
        expect(got === null).toBe(want === null);
        for (const [feature, value] of Object.entries(want ?? {})) {
          if (!HOLDS_NEWER.test(feature)) {
            expect(got?.[feature], `${feature} at ${atUs}`).toEqual(value);
          }
        }
      }
    },
  );

  it('says which time the values of a stepped window speak of', () => {
    const [row] = generateStream({ seed: 1, count: 1 });
    const at = Math.ceil((row as StreamRow).at / 1e6) * 1e6;
    const windows = windowsOf([
      { ...(row as StreamRow), at, lateByUs: 0 },
      { ...(row as StreamRow), at: at + 2_500_000, offset: 1, lateByUs: 0 },
    ]);
    expect(readWindows(plan, windows, at + 2_500_000).effectiveAtUs).toBe(at + 2_500_000);
    expect(readWindows(plan, windows, at + 1_500_000).effectiveAtUs).toBeLessThanOrEqual(at + 1e6);
  });
});

describe('windows of rows within the grace', () => {
  it.each(seeds(8))('end the same for any order of the rows, seed %i', (seed) => {
    const random = generator(seed);
    const rows = generateStream({ seed, count: 150 })
      .filter(({ key, lateByUs }) => key === 'bob' && lateByUs <= GRACE_US)
      // Created times tell ties apart: offsets are given anew with every order.
      .map((row, i) => ({ ...row, made: row.at + i, lateByUs: 0 }));
    const shuffled = [...rows]
      .sort(() => random() - 0.5)
      .map((row, offset) => ({ ...row, offset }));
    const newestUs = Math.max(...rows.map(({ at }) => at));
    for (const laterUs of [0, 12_345_678, 1e10]) {
      expect(read(windowsOf(shuffled), newestUs + laterUs)).toEqual(
        read(windowsOf(rows), newestUs + laterUs),
      );
    }
  });
});

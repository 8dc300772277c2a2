import { describe, expect, it } from 'vitest';
import type { BackfillRecord } from '../../src/backfill/index.ts';
import { beginAgain, planBackfill } from '../../src/backfill/plan-backfill.ts';

const NOTHING: BackfillRecord = { intervals: [], redo: [], files: {} };
const DONE: BackfillRecord = {
  intervals: [
    { startUs: 0, endUs: 9 },
    { startUs: 20, endUs: 29 },
  ],
  redo: [],
  files: { 'b.parquet': '1-1', 'c.parquet': '1-1' },
};
const SAME = DONE.files;
const range = (startUs: number, endUs: number) => ({ startUs, endUs });

describe('the plan of a backfill', () => {
  it('is the range that is asked for where nothing was done', () => {
    for (const mode of ['range', 'incremental'] as const) {
      expect(planBackfill(NOTHING, SAME, range(5, 50), mode)).toEqual({
        again: [],
        changedFiles: ['b.parquet', 'c.parquet'],
        missing: [range(5, 50)],
      });
    }
  });

  it('leaves out what was done', () => {
    const { again, changedFiles, missing } = planBackfill(DONE, SAME, range(5, 50), 'range');
    expect([again, changedFiles]).toEqual([[], []]);
    expect(missing).toEqual([range(10, 19), range(30, 50)]);
    expect(planBackfill(DONE, SAME, range(21, 28), 'range').missing).toEqual([]);
  });

  it('goes on from the end of what was done when it is incremental', () => {
    expect(planBackfill(DONE, SAME, range(5, 50), 'incremental').missing).toEqual([range(30, 50)]);
    expect(planBackfill(DONE, SAME, range(5, 25), 'incremental').missing).toEqual([]);
    expect(planBackfill(DONE, SAME, range(5, 29), 'incremental').missing).toEqual([]);
    expect(planBackfill(DONE, SAME, range(5, 30), 'incremental').missing).toEqual([range(30, 30)]);
  });

  it.each([
    ['has another mark', { 'b.parquet': '1-1', 'c.parquet': '2-2' }, ['c.parquet']],
    ['is new behind the others', { ...SAME, 'd.parquet': '1-1' }, ['d.parquet']],
  ])('reads a file that %s again over all that was done', (_, files, changed) => {
    for (const mode of ['range', 'incremental'] as const) {
      const plan = planBackfill(DONE, files, range(30, 40), mode);
      expect(plan.again).toEqual(DONE.intervals);
      expect(plan.changedFiles).toEqual(changed);
      expect(plan.missing).toEqual([range(30, 40)]);
    }
  });

  it('reads files again that a new one before them gives a higher number', () => {
    const files = { 'a.parquet': '1-1', ...SAME };
    expect(planBackfill(DONE, files, range(0, 9), 'range').changedFiles).toEqual(
      Object.keys(files),
    );
  });

  it('reads nothing again for a file that is gone', () => {
    const plan = planBackfill(DONE, { 'c.parquet': '1-1' }, range(0, 9), 'range');
    expect(plan).toEqual({ again: [], changedFiles: [], missing: [] });
  });
});

describe('a view that begins again', () => {
  const again = beginAgain(DONE);

  it('has nothing done, and keeps what is to be done', () => {
    expect(again).toEqual({ intervals: [], redo: DONE.intervals, files: {} });
    expect(beginAgain(again)).toEqual(again);
  });

  it('does it at the next run, whatever range that asks for', () => {
    for (const [mode, missing] of [
      ['range', [range(0, 9), range(15, 29)]],
      ['incremental', [range(0, 9), range(20, 29)]],
    ] as const) {
      const plan = planBackfill(again, SAME, range(15, 22), mode);
      expect(plan.again).toEqual([]);
      expect(plan.missing).toEqual(missing);
    }
    expect(planBackfill(again, SAME, range(0, 40), 'incremental').missing).toEqual([
      range(0, 9),
      range(20, 40),
    ]);
  });

  it('goes on where it was stopped', () => {
    const half = { ...again, intervals: [range(0, 9)], files: SAME };
    expect(planBackfill(half, SAME, range(0, 40), 'incremental').missing).toEqual([range(20, 40)]);
  });
});

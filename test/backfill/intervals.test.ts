import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MaterializationInterval } from '../../src/backfill/index.ts';
import { addInterval, uncovered } from '../../src/backfill/intervals.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_251_125);
const TIMES = 40;

const anyInterval = fc
  .tuple(fc.nat(TIMES - 1), fc.nat(TIMES - 1))
  .map(([a, b]) => ({ startUs: Math.min(a, b), endUs: Math.max(a, b) }));

/** Every microsecond on its own. */
function timesOf(intervals: readonly MaterializationInterval[]): number[] {
  const times = new Set<number>();
  for (const { startUs, endUs } of intervals) {
    for (let us = startUs; us <= endUs; us++) times.add(us);
  }
  return [...times].sort((a, b) => a - b);
}

/** The fewest intervals of such times, in order. */
function intervalsOf(times: readonly number[]): MaterializationInterval[] {
  const found: { startUs: number; endUs: number }[] = [];
  for (const us of times) {
    const last = found.at(-1);
    if (last?.endUs === us - 1) last.endUs = us;
    else found.push({ startUs: us, endUs: us });
  }
  return found;
}

const build = (parts: readonly MaterializationInterval[]): MaterializationInterval[] =>
  parts.reduce(addInterval, [] as MaterializationInterval[]);

describe(`intervals (seed ${SEED})`, () => {
  it('that are added one by one are the fewest that cover the same times', () => {
    fc.assert(
      fc.property(fc.array(anyInterval, { maxLength: 12 }), (parts) => {
        expect(build(parts)).toEqual(intervalsOf(timesOf(parts)));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('leave of a range exactly the times that none covers', () => {
    fc.assert(
      fc.property(anyInterval, fc.array(anyInterval, { maxLength: 8 }), (range, parts) => {
        const covered = new Set(timesOf(parts));
        const open = timesOf([range]).filter((us) => !covered.has(us));
        expect(uncovered(range, build(parts))).toEqual(intervalsOf(open));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('leave nothing open once what was open is added', () => {
    fc.assert(
      fc.property(anyInterval, fc.array(anyInterval, { maxLength: 8 }), (range, parts) => {
        const before = build(parts);
        const after = uncovered(range, before).reduce(addInterval, before);
        expect(uncovered(range, after)).toEqual([]);
        expect(timesOf(after)).toEqual(timesOf([...parts, range]));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('that touch become one, to the microsecond', () => {
    const first = { startUs: 0, endUs: 9 };
    expect(addInterval([first], { startUs: 10, endUs: 20 })).toEqual([{ startUs: 0, endUs: 20 }]);
    expect(addInterval([first], { startUs: 11, endUs: 20 })).toHaveLength(2);
  });
});

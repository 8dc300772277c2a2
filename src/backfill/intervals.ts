/** Arithmetic of ranges of event time; both ends are included, so `endUs + 1` follows `endUs`. */
import type { MaterializationInterval } from './backfill-record.ts';

type Interval = MaterializationInterval;

/** Adds an interval to ordered ones; those that touch or overlap become one. */
export function addInterval(intervals: readonly Interval[], added: Interval): Interval[] {
  const sorted = [...intervals, added].sort((a, b) => a.startUs - b.startUs);
  const merged: Interval[] = [];
  for (const interval of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && interval.startUs <= last.endUs + 1) {
      const endUs = Math.max(last.endUs, interval.endUs);
      merged.splice(-1, 1, { startUs: last.startUs, endUs });
    } else {
      merged.push(interval);
    }
  }
  return merged;
}

/** The parts of `range` that none of the ordered intervals covers. */
export function uncovered(range: Interval, intervals: readonly Interval[]): Interval[] {
  const gaps: Interval[] = [];
  let startUs = range.startUs;
  for (const interval of intervals) {
    if (interval.endUs < startUs) continue;
    if (interval.startUs > range.endUs) break;
    if (interval.startUs > startUs) gaps.push({ startUs, endUs: interval.startUs - 1 });
    startUs = interval.endUs + 1;
  }
  if (startUs <= range.endUs) gaps.push({ startUs, endUs: range.endUs });
  return gaps;
}

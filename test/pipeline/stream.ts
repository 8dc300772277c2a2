/** Generated streams of records, and what must become of them, worked out the plain way. */
import fc from 'fast-check';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import { NaiveNewestRows } from '../oracle/naive-newest-rows.ts';
import { type ClickRow, NOW_MS, SOURCE } from './bench.ts';

export type StreamRecord = ClickRow | string | null;

const START_US = (NOW_MS - 60_000) * 1_000;
const USERS = ['ann', 'bob', 'cem', 'dan'];

/** Rows out of order, with ties and duplicates; among them records that are no rows. */
export function streamOf(count: number, seed: number): StreamRecord[] {
  const place = fc.record({
    kind: fc.noBias(fc.nat(99)),
    user: fc.constantFrom(...USERS),
    behindUs: fc.oneof(fc.constant(0), fc.nat(30_000)),
    made: fc.option(fc.nat(3)),
    amount: fc.integer({ min: -9, max: 9 }),
    again: fc.noBias(fc.nat(1_000)),
  });
  const [places] = fc.sample(fc.array(place, { minLength: count, maxLength: count }), {
    seed,
    numRuns: 1,
  });
  const records: StreamRecord[] = [];
  for (const [i, { kind, user, behindUs, made, amount, again }] of places!.entries()) {
    // Steps of a millisecond make ties.
    const at = START_US + Math.floor((i * 1_500 - behindUs) / 1_000) * 1_000;
    const row = { user, at, made: made === null ? null : START_US + made, amount };
    if (kind < 8) records.push('{"user":');
    else if (kind < 12) records.push(null);
    else if (kind < 18) records.push({ ...row, user: null });
    else if (kind < 30 && i > 0) records.push(records[again % i]!);
    else records.push(row);
  }
  return records;
}

export interface ExpectedRow {
  readonly row: ClickRow & { readonly user: string };
  readonly offset: number;
  /** How far behind the stream time it met, microseconds. */
  readonly lateUs: number;
}

/** The records that are rows, with their lateness. */
export function expectedRows(records: readonly StreamRecord[]): ExpectedRow[] {
  const rows: ExpectedRow[] = [];
  for (const [offset, row] of records.entries()) {
    if (row === null || typeof row === 'string' || row.user === null) continue;
    const times = [...rows.map((earlier) => earlier.row.at), row.at];
    const streamTimeUs = Math.max(...times) - SOURCE.outOfOrderMs * 1_000;
    const user = row.user;
    rows.push({ row: { ...row, user }, offset, lateUs: Math.max(0, streamTimeUs - row.at) });
  }
  return rows;
}

/** Offsets of the records that are no rows. */
export function expectedRejects(records: readonly StreamRecord[]): number[] {
  const rows = new Set(expectedRows(records).map(({ offset }) => offset));
  return [...records.keys()].filter((offset) => !rows.has(offset));
}

/** The offset of the newest row of each user, by user. */
export function expectedNewest(records: readonly StreamRecord[]): [user: string, offset: number][] {
  const oracle = new NaiveNewestRows();
  for (const { row, offset } of expectedRows(records)) {
    const { made, ...rest } = row;
    const created = typeof made === 'number' ? { created: made } : {};
    oracle.add({ ...rest, ...created, offset }, 0, RANK_STREAM, offset);
  }
  return USERS.flatMap((user): [string, number][] => {
    const newest = oracle.newest((row) => row['user'] === user);
    return newest === null ? [] : [[user, newest.offset as number]];
  });
}

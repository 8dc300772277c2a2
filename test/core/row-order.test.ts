import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareRowOrder,
  NO_CREATED_TIME_US,
  RANK_BATCH,
  RANK_STREAM,
  type RowOrder,
} from '../../src/core/row-order.ts';

const row = (order: Partial<RowOrder> = {}): RowOrder => ({
  eventTimeUs: 0,
  createdTimeUs: 0,
  rank: RANK_STREAM,
  partition: 0,
  offset: 0,
  ...order,
});

describe('the order of rows', () => {
  it('goes by event time, then created time, rank, partition and offset', () => {
    const rising = [
      row({ eventTimeUs: -1, createdTimeUs: 9, partition: 9, offset: 9 }),
      row({ createdTimeUs: -1, partition: 9, offset: 9 }),
      row({ rank: RANK_BATCH, partition: 9, offset: 9 }),
      row({ partition: -1, offset: 9 }),
      row({ offset: -1 }),
      row(),
    ];
    expect([...rising].reverse().toSorted(compareRowOrder)).toEqual(rising);
  });

  it('puts a row without a created time before every row with one', () => {
    const without = row({ createdTimeUs: NO_CREATED_TIME_US });
    expect(compareRowOrder(without, row({ createdTimeUs: -1e15 }))).toBeLessThan(0);
    expect(compareRowOrder(without, without)).toBe(0);
  });

  it('is total: any two rows compare the same way round, and three never form a circle', () => {
    const few = fc.integer({ min: 0, max: 2 });
    const rows = fc.record({
      eventTimeUs: few,
      createdTimeUs: fc.oneof(few, fc.constant(NO_CREATED_TIME_US)),
      rank: fc.constantFrom(RANK_BATCH, RANK_STREAM),
      partition: few,
      offset: few,
    });
    fc.assert(
      fc.property(rows, rows, rows, (a, b, c) => {
        const [ab, ba, bc, ac] = [
          compareRowOrder(a, b),
          compareRowOrder(b, a),
          compareRowOrder(b, c),
          compareRowOrder(a, c),
        ];
        expect(Math.sign(ab) + Math.sign(ba)).toBe(0);
        if (ab <= 0 && bc <= 0) expect(ac).toBeLessThanOrEqual(0);
      }),
    );
  });
});

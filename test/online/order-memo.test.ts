import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareRowOrder } from '../../src/core/row-order.ts';
import { OrderMemo } from '../../src/online/order-memo.ts';

const order = fc.record({
  eventTimeUs: fc.integer({ min: 0, max: 2 }),
  createdTimeUs: fc.integer({ min: 0, max: 2 }),
  rank: fc.constantFrom(0 as const, 1 as const),
  offset: fc.integer({ min: 0, max: 2 }),
  partition: fc.constant(0),
});

describe('OrderMemo', () => {
  it('compares as the total order does', () => {
    fc.assert(
      fc.property(order, order, (known, row) => {
        const memo = new OrderMemo(8);
        const slot = memo.add('key');
        const { current } = memo;
        current.set(slot, known.eventTimeUs, known.createdTimeUs, known.rank, known.offset);
        const { eventTimeUs, createdTimeUs, rank, offset } = row;
        const compared = compareRowOrder(known, row);
        expect(current.isBelow(slot, eventTimeUs, createdTimeUs, rank, offset)).toBe(compared < 0);
        expect(current.raise(slot, row)).toBe(compared <= 0);
      }),
    );
  });

  it('knows what it was told until it is trimmed twice', () => {
    const memo = new OrderMemo(2);
    const slot = memo.add('a');
    memo.current.set(slot, 5, 6, 1, 7);
    memo.trim();
    const moved = memo.find('a');
    const { eventTimesUs, createdTimesUs, ranks, offsets } = memo.current;
    expect([eventTimesUs, createdTimesUs, ranks, offsets].map((column) => column[moved])).toEqual([
      5, 6, 1, 7,
    ]);
    memo.trim();
    memo.add('b');
    memo.trim();
    expect(memo.find('a')).toBe(-1);
    expect(memo.find('b')).not.toBe(-1);
  });

  it('grows within one batch beyond its bound, and keeps every entry', () => {
    const memo = new OrderMemo(4);
    for (let i = 0; i < 5_000; i++) memo.current.set(memo.add(i), i, 0, 1, 0);
    for (let i = 0; i < 5_000; i++) expect(memo.current.eventTimesUs[memo.find(i)]).toBe(i);
    expect(memo.find(5_000)).toBe(-1);
  });
});

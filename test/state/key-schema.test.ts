import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  entityKeyOf,
  entityStateKey,
  numberedKey,
  numberOfKey,
  prefixRange,
  SPACE,
  stateKey,
} from '../../src/state/index.ts';
import { statePrefixOf } from '../../src/state/key-schema.ts';

const ids = fc.integer({ min: 0, max: 0xffff });
const key = fc.uint8Array({ maxLength: 6 });

describe('state keys', () => {
  it('give back what they were made of', () => {
    fc.assert(
      fc.property(ids, ids, ids, key, fc.maxSafeNat(), (source, partition, view, rest, number) => {
        const row = entityStateKey(source, partition, SPACE.row, view, rest);
        expect(statePrefixOf(row)).toEqual({ sourceId: source, partition, space: SPACE.row });
        expect(Uint8Array.from(entityKeyOf(row))).toEqual(rest);
        expect(numberOfKey(numberedKey(source, partition, SPACE.outbox, number))).toBe(number);
      }),
    );
  });

  it('keep the order of their numbers', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        const keys = [a, b].map((n) => numberedKey(1, 0, SPACE.segment, n));
        expect(Math.sign(Buffer.compare(keys[0]!, keys[1]!))).toBe(Math.sign(a - b));
      }),
    );
  });

  it('of one partition and space are one range', () => {
    fc.assert(
      fc.property(ids, ids, ids, key, (source, partition, other, rest) => {
        const { gte, lt } = prefixRange(stateKey(source, partition, SPACE.row));
        const inside = entityStateKey(source, partition, SPACE.row, 1, rest);
        expect(Buffer.compare(gte, inside) <= 0 && Buffer.compare(inside, lt) < 0).toBe(true);
        const outside = entityStateKey(source, other, SPACE.row, 1, rest);
        const isIn = Buffer.compare(gte, outside) <= 0 && Buffer.compare(outside, lt) < 0;
        expect(isIn).toBe(other === partition);
      }),
    );
  });
});

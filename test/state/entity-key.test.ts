import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldValue, KeyType } from '../../src/core/field-type.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { entityKeyCodec } from '../../src/state/index.ts';
import { makeRows } from '../online/make-rows.ts';

const values: Record<KeyType, fc.Arbitrary<NonNullable<FieldValue>>> = {
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  timestamp: fc.maxSafeInteger(),
  bool: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 4, max: 2 }),
  string: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('\0', '\x01', 'a', 'b'), maxLength: 4 }),
  ),
};

const typeLists = fc.array(fc.constantFrom(...(Object.keys(values) as KeyType[])), {
  maxLength: 3,
});

/** Join keys k0, k1, … of some types, and several lists of values for them. */
const keysAndValues = typeLists.chain((types) =>
  fc.tuple(
    fc.constant(Object.fromEntries(types.map((type, i) => [`k${i}`, type]))),
    fc.array(fc.tuple(...types.map((type) => values[type])), { minLength: 2, maxLength: 6 }),
  ),
);

/** The order of values that the bytes must have. */
function compareValues(a: FieldValue, b: FieldValue): number {
  if (typeof a === 'string' || a instanceof Uint8Array) {
    return Buffer.compare(Buffer.from(a as string), Buffer.from(b as string));
  }
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}

describe('entityKeyCodec', () => {
  it('gives back the values', () => {
    fc.assert(
      fc.property(keysAndValues, ([joinKeys, lists]) => {
        const codec = entityKeyCodec(joinKeys);
        for (const list of lists) expect(codec.decode(codec.encode(list))).toEqual(list);
      }),
    );
  });

  it('shows the same bytes without a copy, until the next', () => {
    fc.assert(
      fc.property(keysAndValues, ([joinKeys, lists]) => {
        const codec = entityKeyCodec(joinKeys);
        for (const list of lists) {
          const copy = codec.encode(list);
          expect(Buffer.compare(codec.view(list), copy)).toBe(0);
        }
      }),
    );
  });

  it('writes a whole number alike as a number and as a bigint, with all its 64 bits', () => {
    const codec = entityKeyCodec({ id: 'int64' });
    const edge = BigInt(Number.MAX_SAFE_INTEGER);
    const wholes = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: edge - 2n, max: edge + 2n }),
      fc.bigInt({ min: -edge - 2n, max: -edge + 2n }),
    );
    fc.assert(
      fc.property(wholes, (value) => {
        const wanted = Buffer.alloc(8);
        wanted.writeBigUInt64BE(BigInt.asUintN(64, value) ^ (1n << 63n));
        expect(Buffer.from(codec.encode([value]))).toEqual(wanted);
        const number = Number(value);
        if (Number.isSafeInteger(number)) {
          expect(Buffer.from(codec.encode([number]))).toEqual(wanted);
        }
      }),
    );
  });

  it('orders bytes as the values order', () => {
    fc.assert(
      fc.property(keysAndValues, ([joinKeys, [a, b]]) => {
        const codec = entityKeyCodec(joinKeys);
        const wanted = a!.map((value, i) => compareValues(value, b![i]!)).find((c) => c !== 0) ?? 0;
        expect(Math.sign(Buffer.compare(codec.encode(a!), codec.encode(b!)))).toBe(wanted);
      }),
    );
  });

  it('says where it ends: no key begins another', () => {
    fc.assert(
      fc.property(keysAndValues, ([joinKeys, [a, b]]) => {
        const codec = entityKeyCodec(joinKeys);
        const [first, second] = [codec.encode(a!), codec.encode(b!)].map((key) =>
          Buffer.from(key).toString('hex'),
        );
        if (first !== second) expect(second!.startsWith(first!)).toBe(false);
      }),
    );
  });

  it('does not depend on the order in which join keys are declared', () => {
    const one = entityKeyCodec({ a: 'int32', b: 'string' });
    const other = entityKeyCodec({ b: 'string', a: 'int32' });
    expect(other.names).toEqual(one.names);
    expect(other.encode([1, 'x'])).toEqual(one.encode([1, 'x']));
  });

  it('tells rows of different entities apart, and only those', () => {
    fc.assert(
      fc.property(keysAndValues, ([joinKeys, lists]) => {
        const codec = entityKeyCodec(joinKeys);
        const layout = rowLayout(joinKeys);
        const rows = makeRows(
          layout,
          lists.map((list) => ({
            at: 0,
            ...Object.fromEntries(list.map((value, i) => [`k${i}`, value])),
          })),
        );
        const keyer = codec.forRows(layout);
        const byMapKey = new Set(lists.map((_, i) => keyer.mapKey(rows, i)));
        const byBytes = new Set(
          lists.map((_, i) => Buffer.from(codec.encode(keyer.values(rows, i))).toString('hex')),
        );
        expect(byMapKey.size).toBe(byBytes.size);
        expect(lists.map((_, i) => keyer.values(rows, i))).toEqual(lists);
      }),
    );
  });

  it('has no map key for a row with a null join key', () => {
    const joinKeys = { a: 'int32', b: 'string' } as const;
    const rows = makeRows(joinKeys, [{ at: 0, a: 1, b: null }]);
    expect(entityKeyCodec(joinKeys).forRows(rows.layout).mapKey(rows, 0)).toBeNull();
  });

  it.each([
    ['a number cut off', { id: 'int64' }, '80000000000000'],
    ['bytes behind the end', { id: 'int64' }, '800000000000000100'],
    ['a text without an end', { id: 'string' }, '4a464b'],
  ] as const)('calls bytes corrupt: %s', (_, joinKeys, hex) => {
    const codec = entityKeyCodec(joinKeys);
    expect(() => codec.decode(Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'STORE_CORRUPT' }),
    );
  });

  it('names the column that rows do not have', () => {
    expect(() => entityKeyCodec({ id: 'int64' }).forRows(rowLayout({ other: 'int64' }))).toThrow(
      /"id"/,
    );
  });
});

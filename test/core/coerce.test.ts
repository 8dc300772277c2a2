import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, coercerOf, keyCoercerOf, toJsonValue } from '../../src/core/coerce.ts';
import type { FieldType } from '../../src/core/field-type.ts';

const accepted: readonly [FieldType, unknown, unknown][] = [
  ['int32', 7, 7],
  ['int32', -0, 0],
  ['int32', 7n, 7],
  ['int32', '-2147483648', -2147483648],
  ['int64', 7, 7n],
  ['int64', '9223372036854775807', 2n ** 63n - 1n],
  ['int64', -(2n ** 63n), -(2n ** 63n)],
  ['float32', 0.1, Math.fround(0.1)],
  ['float32', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ['float64', 3n, 3],
  ['float64', -0, -0],
  ['float64', 'NaN', Number.NaN],
  ['string', 'é😀', 'é😀'],
  ['bool', false, false],
  ['bytes', 'AQI=', Buffer.from([1, 2])],
  ['timestamp', '2026-01-31T12:00:00.000001Z', 1769860800000001],
  ['timestamp', '2026-01-31T13:00:00+01:00', 1769860800000000],
  ['timestamp', '2026-01-31T12:00:00', 1769860800000000],
  ['timestamp', new Date(1000), 1_000_000],
  ['int64[]', [1, '2', 3n], [1n, 2n, 3n]],
  ['float32[]', new Float32Array([0.5, 1]), [0.5, 1]],
  ['string[]', [], []],
  ['json', { b: [1, null], a: 'x' }, { a: 'x', b: [1, null] }],
  ['json', 'text', 'text'],
];

const refused: readonly [FieldType, unknown][] = [
  ['int32', 1.5],
  ['int32', 2 ** 31],
  ['int32', '1.0'],
  ['int32', true],
  ['int32', ''],
  ['int64', 2 ** 53],
  ['int64', 2n ** 63n],
  ['int64', '9223372036854775808'],
  ['float32', 1e300],
  ['float64', '1'],
  ['float64', 2n ** 53n],
  ['string', 5],
  ['string', '\ud800'],
  ['bool', 1],
  ['bytes', 'not base64'],
  ['bytes', [1, 2]],
  ['timestamp', 'yesterday'],
  ['timestamp', 1.5],
  ['timestamp', '9999-12-31T00:00:00Z'],
  ['timestamp', Object.create(null)],
  ['timestamp', new Date(Number.NaN)],
  ['int32[]', [1, null]],
  ['int32[]', 5],
  ['json', { a: Number.NaN }],
  ['json', { a: 1n }],
  ['json', new Date(0)],
];

describe('coercerOf', () => {
  it.each(accepted)('%s takes %o', (type, input, stored) => {
    expect(coercerOf(type)(input)).toStrictEqual(stored);
  });

  it.each(refused)('%s refuses %o', (type, input) => {
    expect(() => coercerOf(type)(input)).toThrow(
      expect.objectContaining({ code: 'VALUE_TYPE', message: expect.stringContaining('is not') }),
    );
  });

  it('takes null and undefined as a missing value of every type', () => {
    for (const type of ['int32', 'int64[]', 'json', 'timestamp'] as const) {
      expect([coercerOf(type)(null), coercerOf(type)(undefined)]).toEqual([null, null]);
    }
  });

  it('refuses json that nests too deep or refers to itself, instead of overflowing the stack', () => {
    const loop: unknown[] = [];
    loop.push(loop);
    for (const value of [loop, JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)]) {
      expect(() => coercerOf('json')(value)).toThrow(
        expect.objectContaining({ code: 'VALUE_TYPE' }),
      );
    }
  });

  it('lets a string join key be sent as a whole number, and a string feature not', () => {
    expect([keyCoercerOf('string')(42), keyCoercerOf('string')(42n)]).toEqual(['42', '42']);
    expect(() => keyCoercerOf('string')(4.2)).toThrow();
    expect(() => coercerOf('string')(42)).toThrow();
  });
});

describe('toJsonValue', () => {
  it('writes an int64 as a number when it is safe and as text when it is not', () => {
    expect(toJsonValue('int64', 5n)).toBe(5);
    expect(toJsonValue('int64[]', [2n ** 60n])).toEqual(['1152921504606846976']);
  });

  const values: Record<string, fc.Arbitrary<unknown>> = {
    int32: fc.integer(),
    int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    float32: fc.float(),
    // JSON has no negative zero.
    float64: fc.double().map((value) => (value === 0 ? 0 : value)),
    string: fc.string({ unit: 'binary' }),
    bool: fc.boolean(),
    bytes: fc.uint8Array(),
    timestamp: fc.integer({ min: -8e15, max: 8e15 }),
    'int64[]': fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    json: fc.jsonValue(),
  };
  it.each(Object.keys(values))('is read back to the same %s through JSON text', (type) => {
    const coerce = coercerOf(type as FieldType);
    fc.assert(
      fc.property(values[type]!, (input) => {
        const value = coerce(typeof input === 'number' ? input + 0 : input);
        const text = JSON.stringify(toJsonValue(type as FieldType, value));
        const back = coerce(JSON.parse(text));
        expect(toComparable(back)).toEqual(toComparable(value));
      }),
    );
  });
});

describe('canonicalJson', () => {
  it('is the same for equal values whatever the order of their keys', () => {
    const text = canonicalJson({ b: 1, 10: 2, 9: { z: 0, a: [true, null] }, gone: undefined });
    expect(text).toBe('{"10":2,"9":{"a":[true,null],"z":0},"b":1}');
  });

  it('keeps a key named __proto__', () => {
    expect(canonicalJson(JSON.parse('{"__proto__":1}'))).toBe('{"__proto__":1}');
  });
});

function toComparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'number' || typeof value === 'object') return value === 0 ? 0 : value;
  return value;
}

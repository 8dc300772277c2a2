import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactSum } from '../../src/window/exact-sum.ts';

const ordinary = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 40 });

describe('ExactSum', () => {
  it('is the exact sum rounded once, for any finite numbers', () => {
    fc.assert(
      fc.property(ordinary, (numbers) => {
        expect(sumOf(numbers).value()).toBe(roundedRational(numbers.map(toScaled)));
      }),
    );
  });

  it('has the same canonical parts in any order and grouping', () => {
    fc.assert(
      fc.property(ordinary, fc.nat(), fc.nat(), (numbers, seed, cut) => {
        const shuffled = shuffle(numbers, seed);
        const at = numbers.length === 0 ? 0 : cut % numbers.length;
        const merged = sumOf(shuffled.slice(0, at));
        merged.merge(sumOf(shuffled.slice(at)));
        expect(merged.parts()).toEqual(sumOf(numbers).parts());
      }),
    );
  });

  it('comes back from its parts', () => {
    fc.assert(
      fc.property(ordinary, (numbers) => {
        const { parts } = { parts: sumOf(numbers).parts() };
        expect(ExactSum.fromParts(parts).parts()).toEqual(parts);
      }),
    );
  });

  it('adds products exactly, so that squares of close numbers keep their difference', () => {
    const numbers = fc.array(
      fc
        .double({ noNaN: true, min: -1e100, max: 1e100 })
        .filter((x) => x === 0 || Math.abs(x) > 1e-100),
      {
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(numbers, (xs) => {
        const sum = new ExactSum();
        for (const x of xs) sum.addProduct(x, x);
        const exact = xs.map((x) => toScaled(x) ** 2n);
        expect(sum.value()).toBe(roundedRational(exact, 2n * SCALE_BITS));
      }),
    );
  });

  it('adds whole numbers beyond 2^53 exactly', () => {
    const sum = new ExactSum();
    for (let i = 0; i < 3; i++) sum.addBigint(2n ** 63n - 1n);
    sum.addBigint(-(2n ** 63n - 1n) * 3n);
    sum.add(1);
    expect(sum.value()).toBe(1);
  });

  it('survives partial sums beyond the largest double', () => {
    const max = Number.MAX_VALUE;
    expect(sumOf([max, max, -max, -max, 1]).value()).toBe(1);
    expect(sumOf([max, -max, max]).value()).toBe(max);
    expect(sumOf([max, max]).value()).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets NaN and the infinities win, whatever the order', () => {
    const { POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minusInf } = Number;
    expect(sumOf([1, inf, 2]).value()).toBe(inf);
    expect(sumOf([inf, minusInf]).value()).toBeNaN();
    expect(sumOf([1, Number.NaN]).value()).toBeNaN();
  });
});

function sumOf(numbers: readonly number[]): ExactSum {
  const sum = new ExactSum();
  for (const x of numbers) sum.add(x);
  return sum;
}

const SCALE_BITS = 1_074n;

/** x · 2^1074, a whole number for every finite double. */
function toScaled(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & (2n ** 52n - 1n);
  const mantissa = exponent === 0n ? fraction : fraction + 2n ** 52n;
  const scaled = mantissa << (exponent === 0n ? 0n : exponent - 1n);
  return bits >> 63n ? -scaled : scaled;
}

/** The sum of whole numbers over 2^scaleBits, rounded to the nearest double, ties to even. */
function roundedRational(scaled: readonly bigint[], scaleBits = SCALE_BITS): number {
  const sum = scaled.reduce((a, b) => a + b, 0n);
  const magnitude = sum < 0n ? -sum : sum;
  const length = BigInt(magnitude.toString(2).length);
  // Bits below the last place of the result: never finer than 2^-1074.
  const finest = scaleBits - SCALE_BITS;
  const drop = length - 53n > finest ? length - 53n : finest;
  let kept = drop > 0n ? magnitude >> drop : magnitude;
  if (drop > 0n) {
    const rest = magnitude - (kept << drop);
    const half = 1n << (drop - 1n);
    if (rest > half || (rest === half && kept % 2n === 1n)) kept += 1n;
  }
  const exponent = Number((drop > 0n ? drop : 0n) - scaleBits);
  const value = scaleByPowerOfTwo(Number(kept), exponent);
  return sum < 0n ? -value : value;
}

function scaleByPowerOfTwo(x: number, exponent: number): number {
  let value = x;
  for (let left = exponent; left !== 0; ) {
    const step = Math.max(-1_000, Math.min(1_000, left));
    value *= 2 ** step;
    left -= step;
  }
  return value;
}

function shuffle(numbers: readonly number[], seed: number): number[] {
  const result = [...numbers];
  let state = seed + 1;
  for (let i = result.length - 1; i > 0; i--) {
    state = (state * 48_271) % 2_147_483_647;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j] as number, result[i] as number];
  }
  return result;
}

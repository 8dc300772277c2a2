import type { Column } from '../../core/row-batch.ts';
import type { Aggregator } from '../aggregator.ts';
import { ExactSum, productError } from '../exact-sum.ts';
import { rationalOf, roundedRatio } from './exact-rational.ts';
import { decodeExactSum, encodeExactSum } from './sum.ts';

/** Count and exact power sums: sums[k - 1] is the sum of x^k. */
interface MomentsIr {
  count: number;
  readonly sums: ExactSum[];
}

export const variancePopulationAggregator = moments(2, ({ n, m2 }) => roundedRatio(...m2(n * n)));
export const varianceSampleAggregator = moments(2, ({ n, m2 }) =>
  n < 2n ? null : roundedRatio(...m2(n * (n - 1n))),
);
export const stddevPopulationAggregator = moments(2, ({ n, m2 }) =>
  Math.sqrt(roundedRatio(...m2(n * n))),
);
export const stddevSampleAggregator = moments(2, ({ n, m2 }) =>
  n < 2n ? null : Math.sqrt(roundedRatio(...m2(n * (n - 1n)))),
);

/** Population skewness, m3 / m2^1.5; NaN for fewer than three values or values all alike. */
export const skewAggregator = moments(3, ({ n, m2, m3 }) => {
  if (n < 3n) return Number.NaN;
  const variance = roundedRatio(...m2(n * n));
  return variance === 0
    ? Number.NaN
    : roundedRatio(...m3(n * n * n)) / (variance * Math.sqrt(variance));
});

/** Population excess kurtosis, m4 / m2^2 - 3; NaN for fewer than four values or values all alike. */
export const kurtosisAggregator = moments(4, ({ n, m2, m4 }) => {
  if (n < 4n) return Number.NaN;
  const variance = roundedRatio(...m2(n * n));
  return variance === 0 ? Number.NaN : roundedRatio(...m4(n ** 4n)) / (variance * variance) - 3;
});

type Ratio = [numerator: bigint, denominator: bigint];

/** Central moments as exact ratios, over the divisor that the caller gives. */
interface Central {
  readonly n: bigint;
  readonly m2: (divisor: bigint) => Ratio;
  readonly m3: (divisor: bigint) => Ratio;
  readonly m4: (divisor: bigint) => Ratio;
}

function moments(
  powers: 2 | 3 | 4,
  finish: (central: Central) => number | null,
): Aggregator<never> {
  const aggregator: Aggregator<MomentsIr> = {
    outputType: 'float64',
    create: () => ({ count: 0, sums: Array.from({ length: powers }, () => new ExactSum()) }),
    update: (ir, column, _rows, i) => {
      const { valid, values } = column as Column;
      if (valid[i] === 0) return;
      ir.count++;
      addPowers(ir.sums, Number(values[i]));
    },
    merge: (into, from) => {
      into.count += from.count;
      for (const [k, sum] of into.sums.entries()) sum.merge(from.sums[k] as ExactSum);
    },
    finalize: (ir) => {
      if (ir.count === 0) return null;
      const parts = ir.sums.map((sum) => sum.parts());
      const finite = parts.every((p) => p.every(Number.isFinite));
      return finite ? finish(centralMoments(ir.count, parts)) : Number.NaN;
    },
    encode: (ir, out) => {
      out.varint(ir.count);
      for (const sum of ir.sums) encodeExactSum(sum, out);
    },
    decode: (input) => ({
      count: input.varint(),
      sums: Array.from({ length: powers }, () => decodeExactSum(input)),
    }),
  };
  return aggregator as unknown as Aggregator<never>;
}

/** Adds x, x², x³ and x⁴ exactly: with x² = p + e, x³ = p·x + e·x and x⁴ = p·p + 2p·e + e·e. */
function addPowers(sums: readonly ExactSum[], x: number): void {
  const [first, second, third, fourth] = sums;
  first?.add(x);
  second?.addProduct(x, x);
  if (third === undefined) return;
  const p = x * x;
  const e = productError(x, x, p);
  if (!Number.isFinite(e)) {
    addHugePowers(third, fourth, x);
    return;
  }
  third.addProduct(p, x);
  third.addProduct(e, x);
  if (fourth === undefined) return;
  fourth.addProduct(p, p);
  fourth.addProduct(2 * p, e);
  fourth.addProduct(e, e);
}

/** Beyond 2^480 a square is rounded before it goes on; the infinity of the power decides anyway. */
function addHugePowers(third: ExactSum, fourth: ExactSum | undefined, x: number): void {
  third.add(x * x * x);
  fourth?.add(x * x * x * x);
}

/**
 * With power sums S1…S4 of n values: n·m2 = S2 - S1²/n, n·m3 = S3 - 3·S1·S2/n + 2·S1³/n²,
 * n·m4 = S4 - 4·S1·S3/n + 6·S1²·S2/n² - 3·S1⁴/n³; written without fractions.
 */
function centralMoments(count: number, parts: readonly (readonly number[])[]): Central {
  const n = BigInt(count);
  const rationals = parts.map(rationalOf);
  const scale = rationals.reduce((max, r, k) => Math.max(max, Math.ceil(r.scaleBits / (k + 1))), 0);
  // S[k] as whole numbers over 2^(scale·k).
  const [s1 = 0n, s2 = 0n, s3 = 0n, s4 = 0n] = rationals.map(
    ({ numerator, scaleBits }, k) => numerator << BigInt(scale * (k + 1) - scaleBits),
  );
  const over = (power: number, divisor: bigint): bigint => divisor << BigInt(scale * power);
  return {
    n,
    m2: (divisor) => [n * s2 - s1 * s1, over(2, divisor)],
    m3: (divisor) => [n * n * s3 - 3n * n * s1 * s2 + 2n * s1 ** 3n, over(3, divisor)],
    m4: (divisor) => [
      n ** 3n * s4 - 4n * n * n * s1 * s3 + 6n * n * s1 * s1 * s2 - 3n * s1 ** 4n,
      over(4, divisor),
    ],
  };
}

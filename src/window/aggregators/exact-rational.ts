/**
 * Whole numbers over a power of two: what doubles and their sums and products are exactly.
 * Cold code: used when a value is finalized, never per row.
 */
export interface ExactRational {
  readonly numerator: bigint;
  /** The value is numerator / 2^scaleBits. */
  readonly scaleBits: number;
}

/** The exact value of a sum given by its doubles. All must be finite. */
export function rationalOf(parts: readonly number[]): ExactRational {
  const numbers = parts.filter((part) => part !== 0).map(decompose);
  const scaleBits = numbers.reduce((max, { exponent }) => Math.max(max, -exponent), 0);
  let numerator = 0n;
  for (const { mantissa, exponent } of numbers)
    numerator += mantissa << BigInt(scaleBits + exponent);
  return { numerator, scaleBits };
}

/** numerator / denominator rounded once to the nearest double, ties to even; denominator > 0. */
export function roundedRatio(numerator: bigint, denominator: bigint): number {
  if (numerator === 0n) return 0;
  const negative = numerator < 0n;
  const magnitude = negative ? -numerator : numerator;
  // 55 bits of quotient and one sticky bit round as the whole quotient would.
  const shift = Math.max(-MAX_SHIFT, 55 - (bitLength(magnitude) - bitLength(denominator)));
  const scaled = shift >= 0 ? magnitude << BigInt(shift) : magnitude;
  const divisor = shift >= 0 ? denominator : denominator << BigInt(-shift);
  const quotient = scaled / divisor;
  const sticky = quotient * divisor === scaled ? 0n : 1n;
  const value = scaleByPowerOfTwo((quotient << 1n) | sticky, -shift - 1);
  return negative ? -value : value;
}

const MAX_SHIFT = 8_192;

/** whole · 2^exponent, rounded once, also where the result is subnormal. */
function scaleByPowerOfTwo(whole: bigint, exponent: number): number {
  const length = bitLength(whole);
  const lowest = Math.max(exponent, -1_074, length + exponent - 53);
  const drop = lowest - exponent;
  let kept = whole;
  if (drop > 0) {
    const bits = BigInt(drop);
    kept = whole >> bits;
    const rest = whole - (kept << bits);
    const half = 1n << (bits - 1n);
    if (rest > half || (rest === half && (kept & 1n) === 1n)) kept += 1n;
  }
  const first = Math.max(lowest, -1_000);
  return Number(kept) * 2 ** first * 2 ** (lowest - first);
}

function decompose(x: number): { mantissa: bigint; exponent: number } {
  DOUBLE.setFloat64(0, x);
  const bits = DOUBLE.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const exponent = Math.max(biased, 1) - 1_075;
  return { mantissa: bits >> 63n === 1n ? -mantissa : mantissa, exponent };
}

const DOUBLE = new DataView(new ArrayBuffer(8));

function bitLength(x: bigint): number {
  const hex = x.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0] as string, 16)));
}

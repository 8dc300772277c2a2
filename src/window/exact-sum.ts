/**
 * The exact sum of doubles: the same value and the same bytes for the same numbers, in whatever
 * order and grouping they come.
 *
 * The sum is kept as an expansion: doubles of rising magnitude whose bits do not overlap and whose
 * sum is exact (J. R. Shewchuk, «Adaptive Precision Floating-Point Arithmetic and Fast Robust
 * Geometric Predicates», 1997, grow-expansion). One or two doubles hold the sum of ordinary data.
 * An expansion is not unique, but its canonical form is: the rounded sum, then the rounded rest,
 * and so on. Numbers of 2^960 and more go, scaled down, into an expansion of their own, so that no
 * partial sum overflows before 2^60 of them have come.
 */
export class ExactSum {
  #parts: Expansion = [];
  #hugeParts: Expansion = [];
  /** NaN, Infinity or -Infinity once one of them (or both infinities) was added. */
  #special = 0;

  add(x: number): void {
    if (x > -HUGE && x < HUGE) grow(this.#parts, x);
    else if (Number.isFinite(x)) grow(this.#hugeParts, x * SCALE_DOWN);
    else this.#special += x;
  }

  /** Adds a whole number of any size, exactly. */
  addBigint(x: bigint): void {
    for (let rest = x; rest !== 0n; ) {
      const part = Number(rest);
      this.add(part);
      rest -= BigInt(part);
    }
  }

  /** Adds x·y exactly, unless the product leaves the range where its error is a double too. */
  addProduct(x: number, y: number): void {
    const product = x * y;
    this.add(product);
    if (Math.abs(product) < HUGE) grow(this.#parts, productError(x, y, product));
  }

  merge(other: ExactSum): void {
    for (const part of other.#parts) grow(this.#parts, part);
    for (const part of other.#hugeParts) grow(this.#hugeParts, part);
    this.#special += other.#special;
  }

  /** The sum, rounded once to the nearest double (ties to even). */
  value(): number {
    return this.parts()[0] ?? 0;
  }

  /** Canonical form: the rounded sum, the rounded rest, and so on; empty for zero. */
  parts(): number[] {
    if (this.#special !== 0) return [this.#special];
    if (this.#hugeParts.length > 0) return this.#partsOfHuge();
    return canonicalParts(this.#parts);
  }

  static fromParts(parts: readonly number[]): ExactSum {
    const sum = new ExactSum();
    for (const part of parts) sum.add(part);
    return sum;
  }

  /** Both expansions as one, in the scale of the huge one where that is exact. */
  #partsOfHuge(): number[] {
    const huge = canonicalParts(this.#hugeParts);
    const all: Expansion = [...this.#parts];
    for (const part of huge) {
      const scaled = part / SCALE_DOWN;
      if (!Number.isFinite(scaled)) return [scaled];
      grow(all, scaled);
    }
    return canonicalParts(all);
  }
}

/** Rising in magnitude, not overlapping, no zeros. */
type Expansion = number[];

const HUGE = 2 ** 960;
const SCALE_DOWN = 2 ** -120;
/** Splits a double of 53 bits into halves of 26 (Dekker). */
const SPLITTER = 2 ** 27 + 1;

/** Adds x to an expansion in place. */
function grow(parts: Expansion, x: number): void {
  let kept = 0;
  let high = x;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as number;
    const sum = high + part;
    const shadow = sum - high;
    const low = high - (sum - shadow) + (part - shadow);
    if (low !== 0) parts[kept++] = low;
    high = sum;
  }
  if (high !== 0) parts[kept++] = high;
  parts.length = kept;
}

function canonicalParts(parts: Expansion): number[] {
  const rest = [...parts];
  const canonical: number[] = [];
  while (rest.length > 0) {
    const rounded = roundedSum(rest);
    canonical.push(rounded);
    grow(rest, -rounded);
  }
  return canonical;
}

/** The sum of an expansion rounded to nearest, ties to even: the tail decides what looks like a tie. */
function roundedSum(parts: Expansion): number {
  let i = parts.length - 1;
  let high = parts[i] as number;
  let low = 0;
  while (low === 0 && i > 0) {
    const part = parts[--i] as number;
    const sum = high + part;
    low = part - (sum - high);
    high = sum;
  }
  const below = i > 0 ? (parts[i - 1] as number) : 0;
  if ((low < 0 && below < 0) || (low > 0 && below > 0)) {
    const twice = low * 2;
    const moved = high + twice;
    if (moved - high === twice) return moved;
  }
  return high;
}

/** x·y - product, exactly (Dekker, Veltkamp), for products below 2^960; beyond, any double. */
export function productError(x: number, y: number, product: number): number {
  const [xHigh, xLow] = split(x);
  const [yHigh, yLow] = split(y);
  return xLow * yLow - (product - xHigh * yHigh - xLow * yHigh - xHigh * yLow);
}

function split(x: number): [high: number, low: number] {
  const c = SPLITTER * x;
  const high = c - (c - x);
  return [high, x - high];
}

/**
 * The obvious answer to each aggregation: all values at hand, fractions of whole numbers where
 * doubles would round. Slow, and for that easy to believe.
 */
import type { FieldValue } from '../../src/core/field-type.ts';
import { compareRowOrder, type RowOrder } from '../../src/core/row-order.ts';

export interface NaiveRow {
  readonly order: RowOrder;
  readonly value: FieldValue;
}

export type NaiveAggregation = (rows: readonly NaiveRow[], atUs: number) => FieldValue;

export function naiveAggregation(
  name: string,
  params: Readonly<Record<string, number>>,
  whole: boolean,
): NaiveAggregation {
  const n = params['n'] ?? 0;
  const ordered = (rows: readonly NaiveRow[]): FieldValue[] =>
    present(rows)
      .sort((a, b) => compareRowOrder(a.order, b.order))
      .map((row) => row.value);
  const sorted = (rows: readonly NaiveRow[]): number[] =>
    numbers(rows).sort(
      (a, b) => a - b || (Object.is(a, -0) ? -1 : 0) - (Object.is(b, -0) ? -1 : 0),
    );
  const orNull = (list: FieldValue[]): FieldValue =>
    list.length === 0 ? null : (list as FieldValue);
  switch (name) {
    case 'count':
      return (rows) => BigInt(present(rows).length);
    case 'sum':
      return (rows) => {
        if (present(rows).length === 0) return null;
        return whole
          ? present(rows).reduce((sum, row) => sum + BigInt(row.value as number), 0n)
          : toDouble(sumOf(numbers(rows).map(fraction)));
      };
    case 'mean':
      return (rows) => moment(rows, (xs) => divide(sumOf(xs), xs.length));
    case 'min':
      return (rows) => sorted(rows)[0] ?? null;
    case 'max':
      return (rows) => sorted(rows).at(-1) ?? null;
    case 'first':
      return (rows) => ordered(rows)[0] ?? null;
    case 'last':
      return (rows) => ordered(rows).at(-1) ?? null;
    case 'firstN':
      return (rows) => orNull(ordered(rows).slice(0, n));
    case 'lastN':
      return (rows) => orNull(ordered(rows).reverse().slice(0, n));
    case 'topN':
      return (rows) => orNull(sorted(rows).reverse().slice(0, n));
    case 'variancePopulation':
      return (rows) => moment(rows, (xs) => divide(central(xs, 2), xs.length));
    case 'varianceSample':
      return (rows) =>
        present(rows).length < 2
          ? null
          : moment(rows, (xs) => divide(central(xs, 2), xs.length - 1));
    case 'distinctCount':
      return (rows) => {
        const distinct = new Set(
          present(rows).map((row) => (Object.is(row.value, -0) ? '-0' : row.value)),
        );
        return BigInt(Math.min(distinct.size, params['bound'] as number));
      };
    case 'timeSinceLast':
      return (rows, atUs) =>
        present(rows).length === 0
          ? null
          : (atUs - Math.max(...present(rows).map((row) => row.order.eventTimeUs))) / 1e6;
    default:
      throw new Error(`no naive answer for ${name}`);
  }
}

/** A whole number over 2^1074. */
interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

function present(rows: readonly NaiveRow[]): NaiveRow[] {
  return rows.filter((row) => row.value !== null);
}

function numbers(rows: readonly NaiveRow[]): number[] {
  return present(rows).map((row) => row.value as number);
}

function moment(rows: readonly NaiveRow[], of: (xs: Fraction[]) => Fraction): FieldValue {
  const xs = numbers(rows).map(fraction);
  return xs.length === 0 ? null : toDouble(of(xs));
}

function central(xs: readonly Fraction[], power: number): Fraction {
  const mean = divide(sumOf(xs), xs.length);
  return sumOf(
    xs.map((x) => {
      const d = subtract(x, mean);
      return {
        numerator: d.numerator ** BigInt(power),
        denominator: d.denominator ** BigInt(power),
      };
    }),
  );
}

function fraction(x: number): Fraction {
  let denominator = 1n;
  let scaled = x;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(scaled), denominator };
}

function sumOf(xs: readonly Fraction[]): Fraction {
  return xs.reduce(
    (a, b) => ({
      numerator: a.numerator * b.denominator + b.numerator * a.denominator,
      denominator: a.denominator * b.denominator,
    }),
    { numerator: 0n, denominator: 1n },
  );
}

function subtract(a: Fraction, b: Fraction): Fraction {
  return sumOf([a, { numerator: -b.numerator, denominator: b.denominator }]);
}

function divide(x: Fraction, by: number): Fraction {
  return { numerator: x.numerator, denominator: x.denominator * BigInt(by) };
}

/** Nearest double by bisection over the doubles themselves. */
function toDouble({ numerator, denominator }: Fraction): number {
  if (numerator === 0n) return 0;
  if (numerator < 0n) return -toDouble({ numerator: -numerator, denominator });
  const view = new DataView(new ArrayBuffer(8));
  const double = (bits: bigint): number => {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  };
  const atMost = (x: number): boolean => {
    const f = fraction(x);
    return f.numerator * denominator <= numerator * f.denominator;
  };
  let low = 0n;
  let high = 0x7ff0000000000000n;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (atMost(double(middle))) low = middle;
    else high = middle;
  }
  const [below, above] = [double(low), double(high)];
  if (above === Number.POSITIVE_INFINITY) return below;
  const middle = divide(sumOf([fraction(below), fraction(above)]), 2);
  const difference = numerator * middle.denominator - middle.numerator * denominator;
  if (difference !== 0n) return difference > 0n ? above : below;
  return low % 2n === 0n ? below : above;
}

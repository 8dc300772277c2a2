import type { Column } from '../../core/row-batch.ts';
import type { Aggregator } from '../aggregator.ts';
import { BucketCounts, BucketTotals } from './bucket-counts.ts';

/**
 * A quantile sketch of logarithmic buckets (C. Masson, J. E. Rim, H. K. Lee, «DDSketch», 2019):
 * bucket i holds the magnitudes in (gamma^(i-1), gamma^i] with gamma = (1 + accuracy) / (1 - accuracy),
 * so that any value of a bucket is within `accuracy` of its middle. Buckets add up, so the sketch is
 * the same whatever the order. Bounds come from multiplication alone, not from a logarithm whose last
 * bit may differ between machines.
 */
interface SketchIr {
  count: number;
  nans: number;
  zeros: number;
  readonly positive: BucketCounts;
  readonly negative: BucketCounts;
}

/** Magnitudes below the least normal double have no relative precision: they count as 0. */
const LEAST = 2 ** -1_022;

/** The p quantile within a relative error of `accuracy`; NaN values are ignored. */
export function percentileAggregator(p: number, accuracy: number): Aggregator<never> {
  const buckets = new Buckets(accuracy);
  const aggregator: Aggregator<SketchIr> = {
    outputType: 'float64',
    create: () => ({
      count: 0,
      nans: 0,
      zeros: 0,
      positive: new BucketCounts(),
      negative: new BucketCounts(),
    }),
    update: (ir, column, _rows, i) => {
      const { valid, values } = column as Column;
      if (valid[i] === 0) return;
      const x = Number(values[i]);
      if (Number.isNaN(x)) ir.nans++;
      else {
        ir.count++;
        if (Math.abs(x) < LEAST) ir.zeros++;
        else if (x > 0) ir.positive.add(buckets.indexOf(x), 1);
        else ir.negative.add(buckets.indexOf(-x), 1);
      }
    },
    merge: (into, from) => {
      into.count += from.count;
      into.nans += from.nans;
      into.zeros += from.zeros;
      into.positive.merge(from.positive);
      into.negative.merge(from.negative);
    },
    finalize: (ir) => (ir.count === 0 ? null : quantile(ir, p, buckets)),
    finalizeMerged: (irs) => quantileOfAll(irs, p, buckets),
    encode: (ir, out) => {
      out.varint(ir.nans);
      out.varint(ir.zeros);
      for (const side of [ir.negative, ir.positive]) {
        out.varint(side.size);
        side.some((index, count) => {
          out.i32(index);
          out.varint(count);
          return false;
        });
      }
    },
    decode: (input) => {
      const [nans, zeros] = [input.varint(), input.varint()];
      let count = zeros;
      const readSide = (): BucketCounts => {
        const side = new BucketCounts();
        for (let left = input.varint(); left > 0; left--) {
          const index = input.i32();
          const inBucket = input.varint();
          side.push(index, inBucket);
          count += inBucket;
        }
        return side;
      };
      const [negative, positive] = [readSide(), readSide()];
      return { count, nans, zeros, negative, positive };
    },
  };
  return aggregator as unknown as Aggregator<never>;
}

/** Empty between two calls. */
const positives = new BucketTotals();
const negatives = new BucketTotals();

/** Undefined where the values are too far apart to be added up in one array. */
function quantileOfAll(
  irs: readonly SketchIr[],
  p: number,
  buckets: Buckets,
): number | null | undefined {
  let [count, zeros, fits] = [0, 0, true];
  for (let k = 0; k < irs.length && fits; k++) {
    const ir = irs[k] as SketchIr;
    count += ir.count;
    zeros += ir.zeros;
    fits = negatives.add(ir.negative) && positives.add(ir.positive);
  }
  const sum = { count, zeros, negative: negatives, positive: positives };
  const value = !fits ? undefined : count === 0 ? null : quantile(sum, p, buckets);
  negatives.clear();
  positives.clear();
  return value;
}

interface Sketched {
  readonly count: number;
  readonly zeros: number;
  readonly positive: Pick<BucketCounts, 'some'>;
  readonly negative: Pick<BucketCounts, 'someFromEnd'>;
}

/** The value at rank floor(p · (count - 1)) of the sorted values, as its bucket's middle. */
function quantile(ir: Sketched, p: number, buckets: Buckets): number {
  let left = Math.floor(p * (ir.count - 1));
  let found = 0;
  const holds = (index: number, count: number): boolean => {
    found = index;
    left -= count;
    return left < 0;
  };
  if (ir.negative.someFromEnd(holds)) return -buckets.middleOf(found);
  left -= ir.zeros;
  if (left < 0) return 0;
  return ir.positive.some(holds) ? buckets.middleOf(found) : Number.NaN;
}

const WHOLE_MAX = 4_096;
const NONE = -(2 ** 31);

class Buckets {
  readonly #gamma: number;
  readonly #logGamma: number;
  /** Buckets of small whole numbers, most of what is counted; NONE until one is asked for. */
  readonly #ofWhole = new Int32Array(WHOLE_MAX).fill(NONE);

  constructor(accuracy: number) {
    this.#gamma = (1 + accuracy) / (1 - accuracy);
    this.#logGamma = Math.log(this.#gamma);
  }

  /** The i with gamma^(i-1) < x <= gamma^i; infinities share the bucket behind the largest double. */
  indexOf(x: number): number {
    if (x >= WHOLE_MAX || !Number.isInteger(x)) return this.#find(x);
    const known = this.#ofWhole[x] as number;
    if (known !== NONE) return known;
    const found = this.#find(x);
    this.#ofWhole[x] = found;
    return found;
  }

  #find(x: number): number {
    const finite = Math.min(x, Number.MAX_VALUE);
    let index = Math.ceil(Math.log(finite) / this.#logGamma);
    while (this.#bound(index - 1) >= finite) index--;
    while (this.#bound(index) < finite) index++;
    return index;
  }

  middleOf(index: number): number {
    return (2 * this.#bound(index)) / (this.#gamma + 1);
  }

  /** gamma^i by squaring: multiplications in a fixed order. */
  #bound(index: number): number {
    let power = 1;
    let factor = this.#gamma;
    for (let bits = Math.abs(index); bits > 0; bits = Math.floor(bits / 2)) {
      if (bits % 2 === 1) power *= factor;
      factor *= factor;
    }
    return index < 0 ? 1 / power : power;
  }
}

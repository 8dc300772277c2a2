/** Counts by bucket against a Map, with few and many buckets, close together and far apart. */
import { describe, expect, it } from 'vitest';
import { BucketCounts, BucketTotals } from '../../../src/window/aggregators/bucket-counts.ts';
import { generator, seeds } from '../streams.ts';

type Naive = Map<number, number>;

interface Pair {
  readonly counts: BucketCounts;
  readonly naive: Naive;
}

/** Counts of up to `size` buckets within `span`, added one by one. */
function made(random: () => number, size: number, span: number): Pair {
  const counts = new BucketCounts();
  const naive: Naive = new Map();
  for (let left = size; left > 0; left--) {
    const index = Math.floor((random() - 0.5) * span);
    const count = 1 + Math.floor(random() * 3);
    counts.add(index, count);
    addTo(naive, index, count);
  }
  return { counts, naive };
}

function addTo(naive: Naive, index: number, count: number): void {
  naive.set(index, (naive.get(index) ?? 0) + count);
}

function rising(naive: Naive): [number, number][] {
  return [...naive].sort(([a], [b]) => a - b);
}

function listOf(
  counts: Pick<BucketCounts, 'some' | 'someFromEnd'>,
  end: 'some' | 'someFromEnd' = 'some',
): [number, number][] {
  const list: [number, number][] = [];
  counts[end]((index, count) => {
    list.push([index, count]);
    return false;
  });
  return list;
}

describe('counts by bucket', () => {
  it.each(seeds(20))('are what a map holds after adding and merging, seed %i', (seed) => {
    const random = generator(seed);
    const span = [20, 400, 3_000, 60_000][seed % 4] as number;
    const sum = made(random, Math.floor(random() * 5), span);
    for (let round = 0; round < 30; round++) {
      const other = made(random, Math.floor(random() ** 3 * 200), span);
      const before = listOf(other.counts);
      sum.counts.merge(other.counts);
      for (const [index, count] of other.naive) addTo(sum.naive, index, count);
      expect(listOf(sum.counts)).toEqual(rising(sum.naive));
      expect(listOf(other.counts)).toEqual(before);
    }
    expect(listOf(sum.counts, 'someFromEnd')).toEqual(rising(sum.naive).reverse());
    expect(sum.counts.size).toBe(sum.naive.size);
  });

  it('stop at the bucket that the visitor wants', () => {
    const { counts } = made(generator(1), 50, 400);
    const all = listOf(counts);
    const seen: number[] = [];
    expect(counts.some((index) => seen.push(index) === 3)).toBe(true);
    expect(seen).toEqual(all.slice(0, 3).map(([index]) => index));
  });
});

describe('the totals of several', () => {
  it.each(seeds(10))('are their merge, and nothing once cleared, seed %i', (seed) => {
    const random = generator(seed);
    const totals = new BucketTotals();
    for (let round = 0; round < 5; round++) {
      const parts = Array.from({ length: 6 }, () => made(random, Math.floor(random() * 120), 900));
      const merged = new BucketCounts();
      for (const { counts } of parts) {
        expect(totals.add(counts)).toBe(true);
        merged.merge(counts);
      }
      expect(listOf(totals)).toEqual(listOf(merged));
      expect(listOf(totals, 'someFromEnd')).toEqual(listOf(merged).reverse());
      totals.clear();
      expect(listOf(totals)).toEqual([]);
    }
  });

  it('are not there for buckets too far apart', () => {
    const [low, high] = [new BucketCounts(), new BucketCounts()];
    low.add(-30_000, 1);
    high.add(30_000, 1);
    const totals = new BucketTotals();
    expect(totals.add(low)).toBe(true);
    expect(totals.add(high)).toBe(false);
  });
});

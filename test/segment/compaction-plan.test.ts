import { describe, expect, it } from 'vitest';
import {
  type CompactionRun,
  planCompaction,
  planWholeCompaction,
  type SegmentEntry,
} from '../../src/segment/index.ts';

const MB = 1024 * 1024;
const POLICY = { fanIn: 4, rangeBytesMax: 1_000 * MB };

describe('a plan of compaction', () => {
  it('merges as many small ranges of a partition as make a class, and no fewer', () => {
    expect(plan(cuts([1, 1, 1]))).toEqual([]);
    expect(plan(cuts([1, 1, 1, 1, 1]))).toEqual([[0, 5]]);
  });

  it('takes smaller ranges along, and leaves larger ones alone', () => {
    expect(plan(cuts([64, 1, 1, 1, 1, 64]))).toEqual([[1, 5]]);
    expect(plan(cuts([3, 3, 0.1, 3, 3]))).toEqual([[0, 5]]);
    expect(plan(cuts([3, 64, 3, 3, 64, 3]))).toEqual([]);
  });

  it('makes no range larger than the largest', () => {
    const entries = cuts([300, 300, 300, 300, 300]);
    expect(plan(entries)).toEqual([]);
    expect(plan(entries, { fanIn: 3, rangeBytesMax: 1_000 * MB })).toEqual([[0, 3]]);
  });

  it('merges neither partitions, nor over missing offsets, nor files of other columns', () => {
    const [a, b, c, d] = cuts([1, 1, 1, 1]) as [
      SegmentEntry,
      SegmentEntry,
      SegmentEntry,
      SegmentEntry,
    ];
    expect(plan([a, b, { ...c, partition: 1 }, { ...d, partition: 1 }])).toEqual([]);
    expect(
      plan([a, b, { ...d, startOffset: 3, endOffset: 4 }, { ...d, startOffset: 4, endOffset: 5 }]),
    ).toEqual([]);
    expect(plan([a, b, { ...c, fingerprint: 'other' }, d])).toEqual([]);
  });

  it('takes the files of a range together', () => {
    const rewrite = { generation: 1, parts: 2 };
    const [a, ...rest] = cuts([1, 1, 1, 1]) as [SegmentEntry, ...SegmentEntry[]];
    const parts = [0, 1].map((part) => ({
      ...a,
      bytes: MB / 2,
      rewrite: { ...rewrite, part },
    }));
    const [run] = planCompaction([...parts, ...rest], POLICY) as [CompactionRun];
    expect(run.entries).toHaveLength(5);
    expect(run.bytes).toBe(4 * MB);
  });

  it('writes a row once for each class: logarithmically often', () => {
    const classes = 4;
    let entries = [] as SegmentEntry[];
    let written = 0;
    for (let i = 0; i < 4 ** classes; i++) {
      entries.push(cut(i, i + 1, 2 * MB));
      for (
        let runs = planCompaction(entries, POLICY);
        runs.length > 0;
        runs = planCompaction(entries, POLICY)
      ) {
        for (const run of runs) {
          written += run.bytes;
          entries = merge(entries, run);
        }
      }
    }
    expect(entries.length).toBeLessThanOrEqual((POLICY.fanIn - 1) * (classes + 1));
    expect(written / (4 ** classes * 2 * MB)).toBeLessThanOrEqual(classes);
  });

  it('is everything that a range can hold, when that is asked for', () => {
    const whole = (sizes: readonly number[]): number[][] =>
      planWholeCompaction(cuts(sizes), POLICY).map(bounds);
    expect(whole([1, 64, 3])).toEqual([[0, 3]]);
    expect(whole([600, 600])).toEqual([]);
    expect(whole([600, 300, 300, 10])).toEqual([
      [0, 2],
      [2, 4],
    ]);
  });
});

function plan(entries: readonly SegmentEntry[], policy = POLICY): number[][] {
  return planCompaction(entries, policy).map(bounds);
}

function bounds({ entries }: CompactionRun): number[] {
  return [entries[0]?.startOffset ?? -1, entries.at(-1)?.endOffset ?? -1];
}

function merge(entries: readonly SegmentEntry[], run: CompactionRun): SegmentEntry[] {
  const [from, to] = bounds(run) as [number, number];
  const rest = entries.filter((entry) => !run.entries.includes(entry));
  return [...rest, cut(from, to, run.bytes)].sort((a, b) => a.startOffset - b.startOffset);
}

/** Cuts of one offset each, of so many megabytes. */
function cuts(sizesMb: readonly number[]): SegmentEntry[] {
  return sizesMb.map((size, i) => cut(i, i + 1, size * MB));
}

function cut(startOffset: number, endOffset: number, bytes: number): SegmentEntry {
  return {
    file: `t/t-0-${startOffset}-${endOffset}.parquet`,
    source: 's',
    topic: 't',
    partition: 0,
    startOffset,
    endOffset,
    rowCount: 1,
    bytes,
    minEventTimeUs: 0,
    maxEventTimeUs: 0,
    minArrivalTimeUs: 0,
    maxArrivalTimeUs: 0,
    maxLateUs: 0,
    fingerprint: 'f',
    contentHash: 'h',
    columns: [],
    createdAtMs: 0,
  };
}

/**
 * Which segments to make into fewer and larger ones, by their sizes alone. Ranges of a partition that
 * lie side by side are merged when enough of them are of one size class, with smaller ones in between; a
 * class is `fanIn` times the one before. So a row is written again once for each class it passes, and history
 * of n bytes has some `fanIn · log(n)` ranges.
 */
import { byRange } from './manifest.ts';
import type { SegmentEntry } from './segment-entry.ts';

export interface CompactionPolicy {
  /** So many ranges of a size class become one. */
  readonly fanIn: number;
  /** No range is made larger than this. */
  readonly rangeBytesMax: number;
}

/** Files of adjacent ranges of one partition that become one range. */
export interface CompactionRun {
  readonly entries: readonly SegmentEntry[];
  readonly rowCount: number;
  readonly bytes: number;
}

/** Ranges below it are of the smallest class. */
const LEAST_CLASS_BYTES = 64 * 1024;

/** The runs of a source to compact now; `entries` as the manifest lists them. Pure. */
export function planCompaction(
  entries: readonly SegmentEntry[],
  policy: CompactionPolicy,
): CompactionRun[] {
  return adjacentRanges(entries).flatMap((ranges) => runOf(ranges, policy) ?? []);
}

/** All that can be merged, whatever the sizes, up to the largest range. Pure. */
export function planWholeCompaction(
  entries: readonly SegmentEntry[],
  { rangeBytesMax }: Pick<CompactionPolicy, 'rangeBytesMax'>,
): CompactionRun[] {
  return adjacentRanges(entries)
    .flatMap((ranges) => chunks(ranges, rangeBytesMax))
    .filter((ranges) => ranges.length > 1)
    .map(merged);
}

/** Offsets `[startOffset, endOffset)` of a partition. */
interface Range {
  readonly entries: readonly SegmentEntry[];
  readonly bytes: number;
  readonly rowCount: number;
}

/** The run of the lowest class that has enough ranges. */
function runOf(
  ranges: readonly Range[],
  { fanIn, rangeBytesMax }: CompactionPolicy,
): CompactionRun | null {
  const classOf = ({ bytes }: Range): number =>
    Math.max(0, Math.ceil(Math.log(Math.max(1, bytes) / LEAST_CLASS_BYTES) / Math.log(fanIn)));
  const classes = [...new Set(ranges.map(classOf))].sort((a, b) => a - b);
  for (const upTo of classes) {
    for (const run of runsWhere(ranges, (range) => classOf(range) <= upTo)) {
      const isDue = (chunk: readonly Range[]): boolean =>
        chunk.filter((range) => classOf(range) === upTo).length >= fanIn;
      const chunk = chunks(run, rangeBytesMax).find(isDue);
      if (chunk !== undefined) return merged(chunk);
    }
  }
  return null;
}

/** Ranges by partition, cut where offsets are missing between two or where the columns change. */
function adjacentRanges(entries: readonly SegmentEntry[]): Range[][] {
  const groups: Range[][] = [];
  let last: SegmentEntry | undefined;
  for (const range of rangesOf(entries)) {
    const first = range.entries[0] as SegmentEntry;
    const isNext =
      last !== undefined &&
      last.partition === first.partition &&
      last.endOffset === first.startOffset &&
      last.fingerprint === first.fingerprint;
    if (isNext) (groups.at(-1) as Range[]).push(range);
    else groups.push([range]);
    last = first;
  }
  return groups;
}

function rangesOf(entries: readonly SegmentEntry[]): Range[] {
  return byRange(entries).map((range) => ({
    entries: range,
    bytes: range.reduce((sum, { bytes }) => sum + bytes, 0),
    rowCount: range.reduce((sum, { rowCount }) => sum + rowCount, 0),
  }));
}

function runsWhere(ranges: readonly Range[], passes: (range: Range) => boolean): Range[][] {
  const runs: Range[][] = [[]];
  for (const range of ranges) {
    if (passes(range)) (runs.at(-1) as Range[]).push(range);
    else runs.push([]);
  }
  return runs.filter(({ length }) => length > 0);
}

/** From the left, as many ranges together as a range may be large. */
function chunks(ranges: readonly Range[], bytesMax: number): Range[][] {
  const found: Range[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const range of ranges) {
    if (bytes + range.bytes > bytesMax) {
      found.push([]);
      bytes = 0;
    }
    (found.at(-1) as Range[]).push(range);
    bytes += range.bytes;
  }
  return found;
}

function merged(ranges: readonly Range[]): CompactionRun {
  return {
    entries: ranges.flatMap((range) => range.entries),
    rowCount: ranges.reduce((sum, { rowCount }) => sum + rowCount, 0),
    bytes: ranges.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

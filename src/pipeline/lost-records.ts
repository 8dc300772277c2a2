import { listGaps, type Positions } from '../checkpoint/index.ts';
import { FreshetError } from '../errors.ts';
import type { KvReader } from '../kv/index.ts';
import type { TopicPartition } from '../log/index.ts';
import type { ManifestReader } from '../segment/index.ts';

/** Records `[fromOffset, toOffset)` of a partition. */
export interface OffsetRange {
  readonly fromOffset: number;
  readonly toOffset: number;
}

export interface LostRecords {
  /** Records that state has and the log has no more. */
  readonly ranges: readonly OffsetRange[];
  /** Those of them that have no rows in segments. */
  readonly notInSegments: readonly OffsetRange[];
}

/**
 * What state would lose if a partition were rebuilt from a log that begins at `logStart`: what was
 * applied below it, but for the gaps that are on record.
 */
export async function lostRecords(
  { kv, manifest }: { readonly kv: KvReader; readonly manifest: ManifestReader },
  source: { readonly name: string; readonly id: number },
  partition: number,
  { applied, sealed }: Positions,
  logStart: number,
): Promise<LostRecords> {
  const to = Math.min(logStart, applied);
  if (to === 0) return { ranges: [], notInSegments: [] };
  const gaps = (await listGaps(kv, source.id)).filter((gap) => gap.partition === partition);
  const entries = await manifest.entriesOf(source.name, partition);
  const begin = beginOf(sealed, gaps, entries);
  const ranges = without(
    begin < to ? [{ fromOffset: begin, toOffset: to }] : [],
    gaps.filter((gap) => gap.of === 'state'),
  );
  const files = entries.filter(({ file }) => file !== null);
  const inSegments = files.map(({ startOffset, endOffset }) => ({
    fromOffset: startOffset,
    toOffset: endOffset,
  }));
  return { ranges, notInSegments: without(ranges, inSegments) };
}

/**
 * The first offset of a partition that was ever read: the log's start at that time, or where a
 * backfill handed over to the topic. What lies below is not of the stream.
 */
export async function firstOffset(
  { kv, manifest }: { readonly kv: KvReader; readonly manifest: ManifestReader },
  source: { readonly name: string; readonly id: number },
  partition: number,
  { sealed }: Pick<Positions, 'sealed'>,
): Promise<number> {
  const gaps = (await listGaps(kv, source.id)).filter((gap) => gap.partition === partition);
  return beginOf(sealed, gaps, await manifest.entriesOf(source.name, partition));
}

/** Cuts and gaps of history have no holes between them: they begin where reading did. */
function beginOf(
  sealed: number,
  gaps: readonly { readonly fromOffset: number }[],
  entries: readonly { readonly startOffset: number }[],
): number {
  return Math.min(
    sealed,
    ...gaps.map(({ fromOffset }) => fromOffset),
    ...entries.map(({ startOffset }) => startOffset),
  );
}

/** OFFSET_GAP of a partition that would lose some. */
export function lossError(
  tp: TopicPartition,
  { ranges, notInSegments }: LostRecords,
  logStart: number,
): FreshetError {
  const { topic, partition } = tp;
  const advice =
    notInSegments.length === 0
      ? 'The segments have them: `--views <names>` builds views from there.'
      : `Segments have no rows of ${rangesText(notInSegments)} either. \`--from ${logStart}\` reads what the log has and keeps the rest as it is.`;
  return new FreshetError(
    'OFFSET_GAP',
    `records ${rangesText(ranges)} are in the online store and were removed from the log, which begins at ${logStart}: a replay from the earliest would lose them`,
    {
      where: { topic, partition, offset: ranges[0]?.fromOffset as number },
      next: `${advice} \`--skip-gap\` rebuilds without them, and records the gap.`,
    },
  );
}

function rangesText(ranges: readonly OffsetRange[]): string {
  return ranges.map(({ fromOffset, toOffset }) => `${fromOffset} to ${toOffset - 1}`).join(', ');
}

/** What is left of ranges when others are taken away. */
function without(ranges: readonly OffsetRange[], taken: readonly OffsetRange[]): OffsetRange[] {
  let left = [...ranges];
  for (const { fromOffset, toOffset } of taken) {
    left = left.flatMap((range) =>
      [
        { fromOffset: range.fromOffset, toOffset: Math.min(range.toOffset, fromOffset) },
        { fromOffset: Math.max(range.fromOffset, toOffset), toOffset: range.toOffset },
      ].filter((part) => part.fromOffset < part.toOffset),
    );
  }
  return left;
}

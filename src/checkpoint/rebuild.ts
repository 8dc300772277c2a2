import { FreshetError } from '../errors.ts';
import type { Log } from '../log/index.ts';
import { topicPartitionName } from '../log/index.ts';
import {
  isSameRange,
  type Manifest,
  type SegmentEntry,
  type SegmentStore,
} from '../segment/index.ts';
import { encodePositions, type Positions, startPositions } from './positions.ts';

/**
 * Makes the manifest and the positions of a lost store again from the footers of the segments; the
 * state of the views is then built from them. What was in state and in no segment yet is read from
 * the log again. Answers with the number of segments.
 * @throws FreshetError SEGMENT_CORRUPT, STORE_CORRUPT for segments that overlap
 */
export async function rebuildStore(
  manifest: Manifest,
  segments: SegmentStore,
  log: Log,
  deadLetterTopic: string,
): Promise<number> {
  const entries = newestOf(await segments.readEntries());
  const marks = await outboxMarks(log, deadLetterTopic);
  for (const [, partition] of byPartition(entries)) {
    const [first] = partition;
    if (first === undefined) continue;
    const bytes = encodePositions({ ...positionsOf(partition), outboxMarks: marks });
    const positions = { partition: first.partition, bytes };
    await manifest.commit(first.source, { added: partition, positions });
  }
  return entries.length;
}

/**
 * Files that others were made of may still be there, and files of a rewriting that did not end. Of
 * two that have the same offsets, the one of the higher generation counts, if all its parts are there.
 */
function newestOf(entries: readonly SegmentEntry[]): SegmentEntry[] {
  const ranges = new Map<string, SegmentEntry[]>();
  for (const entry of entries) {
    const name = rangeName(entry);
    ranges.set(name, [...(ranges.get(name) ?? []), entry]);
  }
  const whole = [...ranges.values()].filter(
    (files) => files.length === (files[0]?.rewrite?.parts ?? 1),
  );
  const kept: SegmentEntry[] = [];
  for (const files of whole.sort((a, b) => generationOf(b) - generationOf(a))) {
    const [first] = files as [SegmentEntry];
    if (!kept.some((other) => overlaps(other, first))) kept.push(...files);
  }
  return entries.filter((entry) => kept.includes(entry));
}

function rangeName(entry: SegmentEntry): string {
  const { startOffset, endOffset } = entry;
  return `${topicPartitionName(entry)} ${startOffset} ${endOffset} ${generationOf([entry])}`;
}

function generationOf([first]: readonly SegmentEntry[]): number {
  return first?.rewrite?.generation ?? 0;
}

function overlaps(a: SegmentEntry, b: SegmentEntry): boolean {
  return (
    a.topic === b.topic &&
    a.partition === b.partition &&
    a.startOffset < b.endOffset &&
    b.startOffset < a.endOffset
  );
}

function byPartition(entries: readonly SegmentEntry[]): Map<string, SegmentEntry[]> {
  const partitions = new Map<string, SegmentEntry[]>();
  for (const entry of entries) {
    const name = topicPartitionName(entry);
    const before = partitions.get(name)?.at(-1);
    const isNext = before === undefined || before.endOffset <= entry.startOffset;
    if (!isNext && !isSameRange(before, entry)) {
      throw new FreshetError('STORE_CORRUPT', `segments ${before.file} and ${entry.file} overlap`, {
        where: { topic: entry.topic, partition: entry.partition, offset: entry.startOffset },
      });
    }
    partitions.set(name, [...(partitions.get(name) ?? []), entry]);
  }
  return partitions;
}

/** State is what the segments have, no more: the log is read from their end on. */
function positionsOf(entries: readonly SegmentEntry[]): Positions {
  const end = (entries.at(-1) as SegmentEntry).endOffset;
  const maxEventTimeUs = Math.max(...entries.map((entry) => entry.maxEventTimeUs as number));
  const rows = entries.reduce((sum, { rowCount }) => sum + rowCount, 0);
  return {
    ...startPositions(end),
    appliedMaxEventTimeUs: maxEventTimeUs,
    sealedMaxEventTimeUs: maxEventTimeUs,
    counters: { rows, rejected: 0, late: {} },
  };
}

/** Outbox numbers begin anew: records that are in the topic now are not among them. */
async function outboxMarks(log: Log, topic: string): Promise<Record<string, number>> {
  if (!(await log.listTopics()).includes(topic)) return {};
  const [marks] = await log.watermarks([{ topic, partition: 0 }]);
  return marks === undefined ? {} : { [topicPartitionName(marks)]: marks.end };
}

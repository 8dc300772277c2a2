/**
 * The flow of one partition: records → decode → stream time → newest rows and segment → commit.
 * One call of `process` is one micro-batch; the step numbers are those of
 * `checkpoint/partition-checkpoint.ts`. A task that threw is spent: discard it and open another.
 */
import {
  type Counters,
  type OutboxRecord,
  type PartitionCheckpoint,
  resumeOffset,
} from '../checkpoint/index.ts';
import type { Reject, RowDecoder } from '../codec/index.ts';
import type { Clock } from '../core/clock.ts';
import { firstAtOrAbove, type RowBatch, sliceRows } from '../core/row-batch.ts';
import { RANK_STREAM } from '../core/row-order.ts';
import type { FeatureView, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch } from '../kv/index.ts';
import type { Log, LogBatch } from '../log/index.ts';
import type { RowUpserter } from '../online/index.ts';
import type { SegmentEntry, SegmentWriter } from '../segment/index.ts';
import { StreamClock } from '../window/index.ts';
import { deadLetter } from './dead-letter.ts';

export interface PartitionTaskOptions {
  readonly source: TopicSource;
  readonly views: readonly ViewWriter[];
  readonly decoder: RowDecoder;
  readonly checkpoint: PartitionCheckpoint;
  readonly writer: SegmentWriter;
  readonly cutPolicy: CutPolicy;
  readonly log: Log;
  readonly deadLetterTopic: string;
  readonly clock: Clock;
}

/** A view that the partition feeds, and what keeps its newest rows; null for a view that is not online. */
export interface ViewWriter {
  readonly view: FeatureView;
  readonly upserter: RowUpserter | null;
}

/** When a segment is cut: whichever bound is reached first. */
export interface CutPolicy {
  readonly rowsMax: number;
  readonly bytesMax: number;
  readonly ageMsMax: number;
}

export class PartitionTask {
  readonly #options: PartitionTaskOptions;
  /** Stream time of the rows that go into state, and of those that go into segments. */
  readonly #appliedClock: StreamClock;
  readonly #sealedClock: StreamClock;
  #expectedOffset: number;
  #bufferedEnd: number;
  #bufferedSinceMs: number;
  #lateByUs = new Float64Array(0);

  constructor(options: PartitionTaskOptions) {
    const { positions } = options.checkpoint;
    const { outOfOrderMs } = options.source;
    this.#options = options;
    this.#appliedClock = new StreamClock(outOfOrderMs, positions.appliedMaxEventTimeUs);
    this.#sealedClock = new StreamClock(outOfOrderMs, positions.sealedMaxEventTimeUs);
    this.#expectedOffset = resumeOffset(positions);
    this.#bufferedEnd = positions.sealed;
    this.#bufferedSinceMs = options.clock.nowMs();
  }

  get checkpoint(): PartitionCheckpoint {
    return this.#options.checkpoint;
  }

  /** Null before the first row. */
  get streamTimeUs(): number | null {
    return this.#appliedClock.streamTimeUs;
  }

  /** The next offset this task wants to read. */
  get nextOffset(): number {
    return this.#expectedOffset;
  }

  async process(batch: LogBatch): Promise<void> {
    const { checkpoint, decoder } = this.#options;
    requireContiguous(batch, this.#expectedOffset); // 1
    const { rows, rejects } = await decoder.decode(batch);
    if (batch.nextOffset > checkpoint.positions.applied) {
      const state = new KvBatch();
      const counters = await this.#applyRows(batch, rows, rejects, state); // 2
      await this.#appendRows(rows, batch.nextOffset); // 3
      await checkpoint.commitBatch(state, {
        applied: batch.nextOffset,
        appliedMaxEventTimeUs: this.#appliedClock.maxEventTimeUs,
        outbox: this.#deadLetters(batch, rejects),
        counters,
      }); // 4
      await checkpoint.dispatchOutbox(this.#options.log); // 5
    } else {
      await this.#appendRows(rows, batch.nextOffset);
    }
    this.#expectedOffset = batch.nextOffset;
    if (this.#cutIsDue()) await this.seal();
  }

  /** Publishes what is buffered as a segment; null when nothing is. */
  async seal(): Promise<SegmentEntry | null> {
    const { checkpoint } = this.#options;
    if (this.#bufferedEnd <= checkpoint.positions.sealed) return null;
    // A cut that a crash interrupted keeps its end: it is sealed when its rows have been read again.
    if (checkpoint.positions.intent !== null && checkpoint.positions.intent !== this.#bufferedEnd) {
      return null;
    }
    return this.#sealAt(this.#bufferedEnd);
  }

  /** Whether buffered rows are old or many enough to be cut; also asked while no records come. */
  get cutIsDue(): boolean {
    return this.#cutIsDue();
  }

  async discard(): Promise<void> {
    await this.#options.writer.discard();
  }

  async #applyRows(
    batch: LogBatch,
    rows: RowBatch,
    rejects: readonly Reject[],
    state: KvBatch,
  ): Promise<Counters> {
    const { applied, counters } = this.#options.checkpoint.positions;
    const from = firstAtOrAbove(rows.offsets, rows.count, applied);
    const lateByUs = this.#lateBuffer(rows.count);
    this.#appliedClock.observe(rows.eventTimesUs, from, rows.count, lateByUs);
    const fresh = sliceRows(rows, from, rows.count);
    const late: Record<string, number> = { ...counters.late };
    for (const { view, upserter } of this.#options.views) {
      if (upserter !== null) {
        await upserter.upsert(fresh, { partition: batch.partition, rank: RANK_STREAM }, state);
      }
      const behind = countAbove(lateByUs, from, rows.count, view.graceUs);
      if (behind > 0) late[view.name] = (late[view.name] ?? 0) + behind;
    }
    const rejected = rejects.filter((r) => (batch.offsets[r.index] as number) >= applied).length;
    return {
      rows: counters.rows + fresh.count,
      rejected: counters.rejected + rejected,
      late,
    };
  }

  async #appendRows(rows: RowBatch, nextOffset: number): Promise<void> {
    const { sealed, intent } = this.#options.checkpoint.positions;
    let from = firstAtOrAbove(rows.offsets, rows.count, Math.max(sealed, this.#bufferedEnd));
    if (intent !== null && nextOffset >= intent) {
      const cut = firstAtOrAbove(rows.offsets, rows.count, intent);
      await this.#buffer(rows, from, cut, intent);
      await this.#sealAt(intent);
      from = cut;
    }
    await this.#buffer(rows, from, rows.count, nextOffset);
  }

  async #buffer(rows: RowBatch, from: number, to: number, end: number): Promise<void> {
    if (this.#options.writer.rowCount === 0) this.#bufferedSinceMs = this.#options.clock.nowMs();
    if (from < to) {
      const lateByUs = this.#lateBuffer(rows.count);
      this.#sealedClock.observe(rows.eventTimesUs, from, to, lateByUs);
      await this.#options.writer.append(rows, lateByUs, from, to);
    }
    this.#bufferedEnd = Math.max(this.#bufferedEnd, end);
  }

  async #sealAt(end: number): Promise<SegmentEntry> {
    const { checkpoint, writer, clock } = this.#options;
    const entry = await checkpoint.seal(writer, end, this.#sealedClock.maxEventTimeUs);
    this.#bufferedSinceMs = clock.nowMs();
    return entry;
  }

  #cutIsDue(): boolean {
    const { writer, cutPolicy, clock, checkpoint } = this.#options;
    if (this.#bufferedEnd <= checkpoint.positions.sealed) return false;
    return (
      writer.rowCount >= cutPolicy.rowsMax ||
      writer.bytesEstimate >= cutPolicy.bytesMax ||
      clock.nowMs() - this.#bufferedSinceMs >= cutPolicy.ageMsMax
    );
  }

  #deadLetters(batch: LogBatch, rejects: readonly Reject[]): OutboxRecord[] {
    const { reported } = this.#options.checkpoint.positions;
    return rejects
      .filter((reject) => (batch.offsets[reject.index] as number) >= reported)
      .map((reject) => deadLetter(this.#options.deadLetterTopic, batch, reject));
  }

  #lateBuffer(count: number): Float64Array {
    if (this.#lateByUs.length < count) this.#lateByUs = new Float64Array(count);
    return this.#lateByUs;
  }
}

/** @throws FreshetError OFFSET_GAP when retention removed records that were not read */
function requireContiguous(batch: LogBatch, expectedOffset: number): void {
  const first = batch.count > 0 ? (batch.offsets[0] as number) : batch.nextOffset;
  if (first <= expectedOffset || batch.logStartOffset <= expectedOffset) return;
  throw new FreshetError(
    'OFFSET_GAP',
    `records ${expectedOffset} to ${batch.logStartOffset - 1} were removed before they were read`,
    { where: { topic: batch.topic, partition: batch.partition, offset: expectedOffset } },
  );
}

function countAbove(values: Float64Array, from: number, to: number, bound: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if ((values[i] as number) > bound) count++;
  return count;
}

/**
 * The flow of one partition: records → decode → stream time → newest rows and segment → commit.
 * One call of `process` is one micro-batch; the step numbers are those of
 * `checkpoint/partition-checkpoint.ts`. A task that threw in the middle of a change is spent: what it
 * holds may be half of something. Discard it and open another.
 */
import {
  type Counters,
  type OutboxRecord,
  type PartitionCheckpoint,
  resumeOffset,
} from '../checkpoint/index.ts';
import type { Reject, RowDecoder } from '../codec/index.ts';
import { assert } from '../core/assert.ts';
import type { Clock } from '../core/clock.ts';
import { firstAtOrAbove, type RowBatch, sliceRows } from '../core/row-batch.ts';
import { RANK_STREAM } from '../core/row-order.ts';
import type { FeatureView, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch } from '../kv/index.ts';
import type { Log, LogBatch } from '../log/index.ts';
import {
  encodeResult,
  type RowUpserter,
  type UpsertOrigin,
  type WindowResult,
} from '../online/index.ts';
import type { SegmentEntry, SegmentWriter } from '../segment/index.ts';
import { channels, inSpan, type SpanAttributes } from '../telemetry/index.ts';
import { StreamClock } from '../window/index.ts';
import { causesOf } from './causes-of.ts';
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
  /** Rows below are buffered or sealed. */
  #bufferedEnd: number;
  #bufferedSinceMs: number;
  #lateByUs = new Float64Array(0);
  #isSpent = false;

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

  /** Whether this task can do nothing more: it threw, or was discarded. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** Appends the dead letters that an earlier task committed and did not append. */
  async dispatchOutbox(): Promise<void> {
    await this.#change(() => this.checkpoint.dispatchOutbox(this.#options.log));
  }

  /**
   * One micro-batch; answers with the segments that were published on the way.
   * @throws FreshetError OFFSET_GAP when retention removed records that were not read; the task is
   * as it was
   */
  process(batch: LogBatch): Promise<SegmentEntry[]> {
    return inSpan(
      () => ({ name: 'batch', attributes: factsOf(batch), links: causesOf(batch) }),
      () => this.#process(batch),
    );
  }

  async #process(batch: LogBatch): Promise<SegmentEntry[]> {
    requireContiguous(batch, this.#expectedOffset); // 1
    return this.#change(async () => {
      const { rows, rejects } = await this.#options.decoder.decode(batch);
      const published: SegmentEntry[] = [];
      if (batch.nextOffset > this.checkpoint.positions.applied) {
        await this.#applyBatch(batch, rows, rejects, published);
      } else {
        await this.#appendRows(rows, batch.nextOffset, published);
      }
      if (this.cutIsDue) await this.#sealBuffered(published);
      this.#expectedOffset = batch.nextOffset;
      return published;
    });
  }

  /** Publishes what is buffered as a segment; answers with it, or with nothing. */
  async seal(): Promise<SegmentEntry[]> {
    const published: SegmentEntry[] = [];
    await this.#change(() => this.#sealBuffered(published));
    return published;
  }

  /** Whether buffered rows are old or many enough to be cut; also asked while no records come. */
  get cutIsDue(): boolean {
    const { writer, cutPolicy, clock } = this.#options;
    if (!this.#canSeal()) return false;
    return (
      writer.rowCount >= cutPolicy.rowsMax ||
      writer.bytesEstimate >= cutPolicy.bytesMax ||
      clock.nowMs() - this.#bufferedSinceMs >= cutPolicy.ageMsMax
    );
  }

  /** Forgets what is buffered. Idempotent. */
  async discard(): Promise<void> {
    this.#isSpent = true;
    await this.#options.writer.discard();
  }

  /** One change at a time; one that throws leaves the task spent. */
  async #change<T>(change: () => Promise<T>): Promise<T> {
    assert(!this.#isSpent, 'this task threw or was discarded, or is in the middle of a change');
    this.#isSpent = true;
    const result = await change();
    this.#isSpent = false;
    return result;
  }

  async #applyBatch(
    batch: LogBatch,
    rows: RowBatch,
    rejects: readonly Reject[],
    published: SegmentEntry[],
  ): Promise<void> {
    const { checkpoint, log, clock } = this.#options;
    const state = new KvBatch();
    const results: OutboxRecord[] = [];
    const counters = await this.#applyRows(batch, rows, rejects, state, results); // 2
    await this.#appendRows(rows, batch.nextOffset, published); // 3
    const update = {
      applied: batch.nextOffset,
      appliedMaxEventTimeUs: this.#appliedClock.maxEventTimeUs,
      outbox: [...this.#deadLetters(batch, rejects), ...results],
      counters,
    };
    const startMs = clock.nowMs();
    await inSpan(
      () => ({ name: 'commit', attributes: { ...this.#place, applied: update.applied } }),
      () => checkpoint.commitBatch(state, update),
      () => ({ rejected: rejects.length, outbox: update.outbox.length }),
    ); // 4
    const durationMs = clock.nowMs() - startMs;
    const { topic, partition, nextOffset } = batch;
    channels.commit.publish({ topic, partition, nextOffset, durationMs });
    await checkpoint.dispatchOutbox(log); // 5
  }

  async #applyRows(
    batch: LogBatch,
    rows: RowBatch,
    rejects: readonly Reject[],
    state: KvBatch,
    results: OutboxRecord[],
  ): Promise<Counters> {
    const { applied, counted, counters } = this.#options.checkpoint.positions;
    const from = firstAtOrAbove(rows.offsets, rows.count, applied);
    const uncounted = firstAtOrAbove(rows.offsets, rows.count, counted);
    const lateByUs = this.#lateBuffer(rows.count);
    this.#appliedClock.observe(rows.eventTimesUs, from, rows.count, lateByUs);
    const fresh = sliceRows(rows, from, rows.count);
    const origin: UpsertOrigin = {
      partition: batch.partition,
      rank: RANK_STREAM,
      lateByUs: lateByUs.subarray(from),
      streamTimeUs: this.#appliedClock.streamTimeUs,
      firstNew: uncounted - from,
    };
    const late: Record<string, number> = { ...counters.late };
    for (const { view, upserter } of this.#options.views) {
      const upserted = await upserter?.upsert(fresh, origin, state);
      for (const result of upserted?.results ?? []) {
        results.push(windowRecord(view, result, batch.partition));
      }
      const behind = countAbove(lateByUs, uncounted, rows.count, view.graceUs);
      if (behind > 0) late[view.name] = (late[view.name] ?? 0) + behind;
    }
    const rejected = rejects.filter((r) => (batch.offsets[r.index] as number) >= counted).length;
    return {
      rows: counters.rows + rows.count - uncounted,
      rejected: counters.rejected + rejected,
      late,
    };
  }

  async #appendRows(rows: RowBatch, nextOffset: number, published: SegmentEntry[]): Promise<void> {
    const { intent } = this.checkpoint.positions;
    let from = firstAtOrAbove(rows.offsets, rows.count, this.#bufferedEnd);
    if (intent !== null && nextOffset >= intent) {
      const cut = firstAtOrAbove(rows.offsets, rows.count, intent);
      await this.#buffer(rows, from, cut, intent);
      await this.#sealBuffered(published);
      from = cut;
    }
    await this.#buffer(rows, from, rows.count, nextOffset);
  }

  async #buffer(rows: RowBatch, from: number, to: number, end: number): Promise<void> {
    // The age of a cut counts from the first record, also when none of them became a row.
    if (!this.#hasBuffered()) this.#bufferedSinceMs = this.#options.clock.nowMs();
    if (from < to) {
      const lateByUs = this.#lateBuffer(rows.count);
      this.#sealedClock.observe(rows.eventTimesUs, from, to, lateByUs);
      await this.#options.writer.append(rows, lateByUs, from, to);
    }
    this.#bufferedEnd = Math.max(this.#bufferedEnd, end);
  }

  async #sealBuffered(published: SegmentEntry[]): Promise<void> {
    if (!this.#canSeal()) return;
    const { checkpoint, writer } = this.#options;
    const maxEventTimeUs = this.#sealedClock.maxEventTimeUs;
    const entry = await inSpan(
      () => ({ name: 'seal', attributes: this.#place }),
      () => checkpoint.seal(writer, this.#bufferedEnd, maxEventTimeUs),
      ({ startOffset, endOffset, rowCount, bytes }) => ({
        startOffset,
        endOffset,
        rows: rowCount,
        bytes,
      }),
    );
    published.push(entry);
  }

  /** A cut that a stop interrupted keeps its end: it waits until its rows have been read again. */
  #canSeal(): boolean {
    const { intent } = this.checkpoint.positions;
    return this.#hasBuffered() && (intent === null || intent === this.#bufferedEnd);
  }

  get #place(): { readonly topic: string; readonly partition: number } {
    const { topic, partition } = this.checkpoint.source;
    return { topic, partition };
  }

  #hasBuffered(): boolean {
    return this.#bufferedEnd > this.checkpoint.positions.sealed;
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

function factsOf({ topic, partition, count, offsets, nextOffset }: LogBatch): SpanAttributes {
  const startOffset = count > 0 ? (offsets[0] as number) : nextOffset;
  return { topic, partition, records: count, startOffset, nextOffset };
}

function requireContiguous(batch: LogBatch, expectedOffset: number): void {
  const first = batch.count > 0 ? (batch.offsets[0] as number) : batch.nextOffset;
  if (first <= expectedOffset || batch.logStartOffset <= expectedOffset) return;
  throw new FreshetError(
    'OFFSET_GAP',
    `records ${expectedOffset} to ${batch.logStartOffset - 1} were removed before they were read`,
    { where: { topic: batch.topic, partition: batch.partition, offset: expectedOffset } },
  );
}

/** A result stays in the partition that its rows came from, and so in order. */
function windowRecord(view: FeatureView, result: WindowResult, partition: number): OutboxRecord {
  const topic = view.windowing?.emit?.topic;
  assert(topic !== undefined, `view "${view.name}" sends no results`);
  return { topic, partition, ...encodeResult(view, result), headers: [] };
}

function countAbove(values: Float64Array, from: number, to: number, bound: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if ((values[i] as number) > bound) count++;
  return count;
}

/**
 * The engine: reads the topics of a catalog and keeps the online store and the segments up to
 * date. It pulls: the next batches are asked for when the last ones are committed, so what is in
 * memory is bounded by one poll (`batchRecordsMax` and `batchBytesMax` a partition) and one
 * segment buffer a partition (the cut policy).
 *
 * A partition that fails and can be mended is suspended: its task is discarded, the others go on,
 * and after a pause it is opened again from its stored positions. All other failures stop the engine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { resumeOffset } from '../checkpoint/index.ts';
import type { Clock } from '../core/clock.ts';
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX } from '../core/limits.ts';
import { type ErrorCode, FreshetError } from '../errors.ts';
import {
  type Cursor,
  type Log,
  type LogBatch,
  type LogReader,
  type TopicPartition,
  topicPartitionName,
} from '../log/index.ts';
import type { SegmentEntry } from '../segment/index.ts';
import { channels } from '../telemetry/index.ts';
import type { PartitionTask } from './partition-task.ts';
import { canRetry, retryWaitMs, tellRetry } from './retry.ts';

export interface MaterializerOptions {
  readonly log: Log;
  readonly topics: readonly string[];
  readonly group: string;
  /** Opens the state, decoder and segment writer of one partition. */
  readonly openTask: (tp: TopicPartition) => Promise<PartitionTask>;
  /** By topic: a partition without records for this long is declared idle. */
  readonly idleMs: ReadonlyMap<string, number>;
  readonly clock: Clock;
  /**
   * Goes on at the log's start behind records that retention removed before they were read; the gap
   * is recorded. Default false: OFFSET_GAP.
   */
  readonly skipGap?: boolean;
  /** Records a partition and poll. Default 8,192. */
  readonly batchRecordsMax?: number;
  /** Value bytes a partition and poll. Default 16 MiB. */
  readonly batchBytesMax?: number;
  /** Work that goes on beside the stream: its failure stops the engine, and a stop aborts it. */
  readonly beside?: BesideWork;
  /** The same, for as long as the engine runs: nobody waits for it to catch up. */
  readonly alwaysBeside?: BesideWork;
}

export type BesideWork = (engine: Materializer, signal: AbortSignal) => Promise<void>;

/** Where one partition stands; times in microseconds. */
export interface PartitionStatus extends TopicPartition {
  readonly applied: number;
  readonly sealed: number;
  /** The offset after the last record, as of the last poll. */
  readonly end: number;
  readonly lagRecords: number;
  readonly streamTimeUs: number | null;
  readonly rows: number;
  readonly rejected: number;
  readonly late: Readonly<Record<string, number>>;
  readonly idle: boolean;
  /** When a suspended partition is opened again, in milliseconds; null while all is well. */
  readonly retryAtMs: number | null;
}

interface Partition {
  readonly tp: TopicPartition;
  task: PartitionTask;
  end: number;
  lastRecordMs: number;
  idle: boolean;
  /** Failures in a row. */
  failures: number;
  /** Null unless suspended. */
  retryAtMs: number | null;
}

interface Exchange {
  readonly topic: string;
  readonly work: () => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const POLL_WAIT_MS = 250;

export class Materializer {
  readonly #options: MaterializerOptions;
  readonly #partitions = new Map<string, Partition>();
  readonly #stopping = new AbortController();
  readonly #exchanges: Exchange[] = [];
  #besideIsDone = false;
  #finished: Promise<void> = Promise.resolve();
  #failedPolls = 0;
  #gapsSkipped = 0;

  private constructor(options: MaterializerOptions) {
    this.#options = options;
  }

  /** Joins the group and starts reading. */
  static async start(options: MaterializerOptions): Promise<Materializer> {
    const engine = new Materializer(options);
    const reader = await options.log.join({
      group: options.group,
      topics: options.topics,
      onAssigned: (tps) => engine.#assign(tps),
      onRevoked: (tps) => engine.#revoke(tps),
      onLost: (tps) => engine.#drop(tps),
    });
    engine.#finished = engine.#run(reader);
    engine.#finished.catch(() => {}); // whoever awaits `finished` or `stop` gets the error
    return engine;
  }

  /** Settles when the engine has stopped; rejects with what stopped it. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** Polls of the log that failed since the last that did not. */
  get failedPolls(): number {
    return this.#failedPolls;
  }

  /** How often this engine went on behind records that were removed. */
  get gapsSkipped(): number {
    return this.#gapsSkipped;
  }

  /** Finishes the batch at hand, publishes what is buffered, closes. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#finished;
  }

  /**
   * Resolves when what was in this engine's partitions at the time of the call is in state, and read
   * for the segments, and the work beside it is done: `stop` then leaves nothing to do.
   */
  async caughtUp(): Promise<void> {
    const ends = await this.#options.log.watermarks(await this.#allPartitions());
    const behind = (): boolean =>
      !this.#besideIsDone ||
      this.#partitions.size === 0 ||
      ends.some(({ end, ...tp }) => {
        const found = this.#partitions.get(topicPartitionName(tp));
        return found !== undefined && (found.retryAtMs !== null || found.task.nextOffset < end);
      });
    while (behind() && !this.#stopping.signal.aborted) {
      await Promise.race([this.#finished, sleep(5)]);
    }
    if (behind()) await this.#finished;
  }

  status(): PartitionStatus[] {
    return [...this.#partitions.values()].map(({ tp, task, end, idle, retryAtMs }) => {
      const { applied, sealed, counters } = task.checkpoint.positions;
      const { streamTimeUs } = task;
      const lagRecords = Math.max(0, end - applied);
      return {
        ...tp,
        applied,
        sealed,
        end,
        lagRecords,
        streamTimeUs,
        ...counters,
        idle,
        retryAtMs,
      };
    });
  }

  /**
   * Between two batches: publishes what the partitions of a topic have buffered, does the work, and
   * opens the partitions anew.
   * @throws what the work throws; the reason of the stop when the engine stops before its turn
   */
  exchange(topic: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      else this.#exchanges.push({ topic, work, resolve, reject });
    });
  }

  async #run(reader: LogReader): Promise<void> {
    const { beside: first, alwaysBeside } = this.#options;
    const beside = Promise.all([
      this.#runBeside(first).then(() => {
        this.#besideIsDone = true;
      }),
      this.#runBeside(alwaysBeside),
    ]);
    beside.catch(() => {}); // awaited below, when the stream has stopped
    try {
      await this.#readOn(reader);
    } finally {
      this.#stopping.abort();
      for (const { reject } of this.#exchanges.splice(0)) reject(this.#stopping.signal.reason);
      const [done] = await Promise.allSettled([beside]);
      await this.#release(reader);
      if (done.status === 'rejected') await beside;
    }
  }

  async #runBeside(work: BesideWork | undefined): Promise<void> {
    try {
      await work?.(this, this.#stopping.signal);
    } catch (thrown) {
      this.#stopping.abort();
      throw thrown;
    }
  }

  async #readOn(reader: LogReader): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#reopenDue(reader);
      await this.#exchangeDue(reader);
      const batches = await this.#poll(reader);
      await settleAll(batches.map((batch) => this.#process(reader, batch)));
      await this.#cutDue(reader);
      this.#noticeIdle();
    }
    await settleAll(this.#all.map((partition) => this.#publish(partition)));
  }

  async #exchangeDue(reader: LogReader): Promise<void> {
    for (const { topic, work, resolve, reject } of this.#exchanges.splice(0)) {
      const partitions = this.#all.filter(({ tp }) => tp.topic === topic);
      try {
        for (const partition of partitions) {
          await this.#orMend(reader, partition, () => this.#publish(partition));
        }
        await work();
        for (const partition of partitions) {
          if (partition.retryAtMs !== null) continue; // is opened anew in any case
          await partition.task.discard();
          await this.#orMend(reader, partition, () => this.#reopen(reader, partition));
        }
        resolve();
      } catch (thrown) {
        reject(thrown);
      }
    }
  }

  get #all(): Partition[] {
    return [...this.#partitions.values()];
  }

  async #poll(reader: LogReader): Promise<LogBatch[]> {
    try {
      const batches = await reader.poll({
        maxRecords: this.#options.batchRecordsMax ?? BATCH_RECORDS_MAX,
        maxBytes: this.#options.batchBytesMax ?? BATCH_BYTES_MAX,
        waitMs: this.#pollWaitMs(),
        signal: this.#stopping.signal,
      });
      this.#failedPolls = 0;
      return batches;
    } catch (thrown) {
      const partition = this.#partitionOf(thrown);
      if (partition !== null && this.#mayBeSkipped(thrown)) {
        await this.#mend(reader, partition, thrown);
      } else {
        await this.#waitForLog(thrown);
      }
      return [];
    }
  }

  /** No longer than until the next suspended partition is due. */
  #pollWaitMs(): number {
    const nowMs = this.#options.clock.nowMs();
    const waits = this.#all.map(({ retryAtMs }) => (retryAtMs ?? Number.POSITIVE_INFINITY) - nowMs);
    return Math.max(0, Math.min(POLL_WAIT_MS, ...waits));
  }

  async #process(reader: LogReader, batch: LogBatch): Promise<void> {
    const partition = this.#partitions.get(topicPartitionName(batch));
    if (partition === undefined) return; // given away while the poll was under way
    const { clock } = this.#options;
    const startMs = clock.nowMs();
    partition.end = batch.highWatermark;
    partition.lastRecordMs = startMs;
    await this.#orMend(reader, partition, async () => {
      await this.#tell(partition, await partition.task.process(batch));
      channels.batch.publish({
        ...partition.tp,
        records: batch.count,
        nextOffset: batch.nextOffset,
        highWatermark: batch.highWatermark,
        durationMs: clock.nowMs() - startMs,
      });
    });
  }

  async #cutDue(reader: LogReader): Promise<void> {
    for (const partition of this.#all) {
      if (partition.task.isSpent || !partition.task.cutIsDue) continue;
      await this.#orMend(reader, partition, () => this.#publish(partition));
    }
  }

  async #publish(partition: Partition): Promise<void> {
    // What a spent task buffered is read again from the stored positions.
    if (!partition.task.isSpent) await this.#tell(partition, await partition.task.seal());
  }

  /** Step 5 of a segment: the group's offset is `sealed`, never `applied`, and only advisory. */
  async #tell(partition: Partition, published: readonly SegmentEntry[]): Promise<void> {
    const { tp, task } = partition;
    for (const { startOffset, endOffset, rowCount } of published) {
      channels.segment.publish({ ...tp, startOffset, endOffset, rows: rowCount });
    }
    if (published.length === 0) return;
    const cursor = { ...tp, offset: resumeOffset(task.checkpoint.positions) };
    try {
      await this.#options.log.commitOffsets(this.#options.group, [cursor]);
    } catch (thrown) {
      // Nothing depends on it, and the next segment commits a higher one.
      if (!canRetry(thrown) && !hasCode(thrown, 'LOG_FENCED')) throw thrown;
      tellRetry(thrown as FreshetError, tp, 0);
    }
  }

  async #orMend(reader: LogReader, partition: Partition, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      // A cut that failed is still to be made: reading its rows again is no success.
      if (partition.task.checkpoint.positions.intent === null) partition.failures = 0;
    } catch (thrown) {
      await this.#mend(reader, partition, thrown);
    }
  }

  /** Skips a gap where that is asked for; suspends the partition; or throws what stops the engine. */
  async #mend(reader: LogReader, partition: Partition, thrown: unknown): Promise<void> {
    let failure = thrown;
    if (this.#mayBeSkipped(failure)) {
      try {
        return await this.#skipGap(reader, partition, failure);
      } catch (again) {
        failure = again;
      }
    }
    if (!canRetry(failure)) throw failure;
    await partition.task.discard();
    const waitMs = retryWaitMs(++partition.failures);
    partition.retryAtMs = this.#options.clock.nowMs() + waitMs;
    reader.pause([partition.tp]);
    tellRetry(failure, partition.tp, waitMs);
  }

  async #reopenDue(reader: LogReader): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    for (const partition of this.#all) {
      if (partition.retryAtMs === null || partition.retryAtMs > nowMs) continue;
      try {
        await this.#reopen(reader, partition);
        partition.retryAtMs = null;
        reader.resume([partition.tp]);
      } catch (thrown) {
        await this.#mend(reader, partition, thrown);
      }
    }
  }

  async #reopen(reader: LogReader, partition: Partition): Promise<void> {
    partition.task = await this.#open(partition.tp);
    reader.seek({ ...partition.tp, offset: partition.task.nextOffset });
  }

  #mayBeSkipped(thrown: unknown): boolean {
    return this.#options.skipGap === true && hasCode(thrown, 'OFFSET_GAP');
  }

  async #skipGap(reader: LogReader, partition: Partition, thrown: unknown): Promise<void> {
    const { tp, task } = partition;
    const [marks] = await this.#options.log.watermarks([tp]);
    await this.#publish(partition); // what was read before the gap is no part of it
    const nowMs = this.#options.clock.nowMs();
    const gaps = await task.checkpoint.skipGap(marks?.start ?? 0, nowMs);
    if (gaps.length === 0) throw thrown;
    this.#gapsSkipped++;
    await task.discard();
    await this.#reopen(reader, partition);
    const fromOffset = Math.min(...gaps.map((gap) => gap.fromOffset));
    channels.gap.publish({ ...tp, fromOffset, toOffset: partition.task.nextOffset });
  }

  /** The assigned partition that a failure names, if it names one. */
  #partitionOf(thrown: unknown): Partition | null {
    if (!(thrown instanceof FreshetError)) return null;
    const { topic, partition } = thrown.where;
    if (topic === undefined || partition === undefined) return null;
    return this.#partitions.get(topicPartitionName({ topic, partition })) ?? null;
  }

  async #waitForLog(thrown: unknown): Promise<void> {
    if (!canRetry(thrown)) throw thrown;
    const waitMs = retryWaitMs(++this.#failedPolls);
    tellRetry(thrown, null, waitMs);
    await sleep(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => {}); // stopping
  }

  #noticeIdle(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const partition of this.#all) {
      const idleMs = this.#options.idleMs.get(partition.tp.topic) ?? Number.POSITIVE_INFINITY;
      const idle = nowMs - partition.lastRecordMs > idleMs;
      if (idle === partition.idle) continue;
      partition.idle = idle;
      channels.idle.publish({ ...partition.tp, idle });
    }
  }

  async #assign(tps: readonly TopicPartition[]): Promise<Cursor[]> {
    const tasks = await Promise.all(tps.map((tp) => this.#open(tp)));
    return tasks.map((task, i) => {
      const tp = tps[i] as TopicPartition;
      const lastRecordMs = this.#options.clock.nowMs();
      const state = { end: 0, lastRecordMs, idle: false, failures: 0, retryAtMs: null };
      this.#partitions.set(topicPartitionName(tp), { tp, task, ...state });
      channels.assigned.publish({ ...tp, nextOffset: task.nextOffset });
      return { ...tp, offset: task.nextOffset };
    });
  }

  async #open(tp: TopicPartition): Promise<PartitionTask> {
    const task = await this.#options.openTask(tp);
    await task.dispatchOutbox();
    return task;
  }

  /** Called between two batches: publishes what the partitions have buffered. */
  async #revoke(tps: readonly TopicPartition[]): Promise<void> {
    for (const tp of tps) {
      const partition = this.#partitions.get(topicPartitionName(tp));
      if (partition === undefined) continue;
      try {
        await this.#publish(partition);
      } catch (thrown) {
        // The next owner reads the rows again, and makes the same cut.
        if (!canRetry(thrown)) throw thrown;
        tellRetry(thrown, tp, 0);
      }
    }
    await this.#drop(tps);
  }

  /** Forgets partitions without writing anything for them. */
  async #drop(tps: readonly TopicPartition[]): Promise<void> {
    for (const tp of tps) {
      const partition = this.#partitions.get(topicPartitionName(tp));
      if (partition === undefined) continue;
      this.#partitions.delete(topicPartitionName(tp));
      await partition.task.discard();
      channels.revoked.publish({ ...tp, nextOffset: partition.task.nextOffset });
    }
  }

  /** The partitions stay listed, so that the last status can be asked for. */
  async #release(reader: LogReader): Promise<void> {
    try {
      for (const partition of this.#all) await partition.task.discard();
    } finally {
      await reader.close();
    }
  }

  async #allPartitions(): Promise<TopicPartition[]> {
    const described = await Promise.all(
      this.#options.topics.map((topic) => this.#options.log.describeTopic(topic)),
    );
    return described.flatMap(({ topic, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    );
  }
}

/** Waits for all, then throws the first failure: nothing is left running behind it. */
async function settleAll(works: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function hasCode(thrown: unknown, code: ErrorCode): boolean {
  return thrown instanceof FreshetError && thrown.code === code;
}

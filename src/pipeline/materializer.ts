/**
 * The engine: reads the topics of a catalog and keeps the online store and the segments up to
 * date. It pulls: the next batches are asked for when the last ones are committed, so what is in
 * memory is bounded by one poll (`batchRecordsMax` and `batchBytesMax` a partition) and one
 * segment buffer a partition (the cut policy).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { resumeOffset } from '../checkpoint/index.ts';
import type { Clock } from '../core/clock.ts';
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX, RETRY_MS_MAX, RETRY_MS_MIN } from '../core/limits.ts';
import { FreshetError, toFreshetError } from '../errors.ts';
import {
  type Cursor,
  type Log,
  type LogBatch,
  type LogReader,
  type TopicPartition,
  topicPartitionName,
} from '../log/index.ts';
import { channels } from '../telemetry/index.ts';
import type { PartitionTask } from './partition-task.ts';

export interface MaterializerOptions {
  readonly log: Log;
  readonly topics: readonly string[];
  readonly group: string;
  /** Opens the state, decoder and segment writer of one partition. */
  readonly openTask: (tp: TopicPartition) => Promise<PartitionTask>;
  /** By topic: a partition without records for this long is declared idle. */
  readonly idleMs: ReadonlyMap<string, number>;
  readonly clock: Clock;
  /** Records a partition and poll. Default 8,192. */
  readonly batchRecordsMax?: number;
  /** Value bytes a partition and poll. Default 16 MiB. */
  readonly batchBytesMax?: number;
}

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
}

interface Partition {
  readonly tp: TopicPartition;
  task: PartitionTask;
  end: number;
  lastRecordMs: number;
  idle: boolean;
  failures: number;
}

const POLL_WAIT_MS = 250;

export class Materializer {
  readonly #options: MaterializerOptions;
  readonly #partitions = new Map<string, Partition>();
  readonly #stopping = new AbortController();
  #reader: LogReader | null = null;
  #finished: Promise<void> = Promise.resolve();
  #pollFailures = 0;

  private constructor(options: MaterializerOptions) {
    this.#options = options;
  }

  /** Joins the group and starts reading. */
  static async start(options: MaterializerOptions): Promise<Materializer> {
    const engine = new Materializer(options);
    engine.#reader = await options.log.join({
      group: options.group,
      topics: options.topics,
      onAssigned: (tps) => engine.#assign(tps),
      onRevoked: (tps) => engine.#revoke(tps),
    });
    engine.#finished = engine.#run(engine.#reader);
    engine.#finished.catch(() => {}); // whoever awaits `finished` or `stop` gets the error
    return engine;
  }

  /** Settles when the engine has stopped; rejects with what stopped it. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** Finishes the batch at hand, publishes what is buffered, closes. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#finished;
  }

  /** Resolves when what was in this engine's partitions at the time of the call is in state. */
  async caughtUp(): Promise<void> {
    const ends = await this.#options.log.watermarks(await this.#allPartitions());
    const behind = (): boolean =>
      this.#partitions.size === 0 ||
      ends.some(({ end, ...tp }) => {
        const found = this.#partitions.get(topicPartitionName(tp));
        return found !== undefined && found.task.checkpoint.positions.applied < end;
      });
    while (behind() && !this.#stopping.signal.aborted) {
      await Promise.race([this.#finished, sleep(5)]);
    }
    if (behind()) await this.#finished;
  }

  status(): PartitionStatus[] {
    return [...this.#partitions.values()].map(({ tp, task, end, idle }) => {
      const { applied, sealed, counters } = task.checkpoint.positions;
      const { streamTimeUs } = task;
      const lagRecords = Math.max(0, end - applied);
      return { ...tp, applied, sealed, end, lagRecords, streamTimeUs, ...counters, idle };
    });
  }

  async #run(reader: LogReader): Promise<void> {
    try {
      while (!this.#stopping.signal.aborted) {
        const batches = await this.#poll(reader);
        await Promise.all(batches.map((batch) => this.#process(reader, batch)));
        await this.#cutOld();
        this.#noticeIdle();
      }
      await Promise.all(
        [...this.#partitions.values()].map((partition) => this.#sealAndCommit(partition)),
      );
    } finally {
      await this.#release();
      await reader.close();
    }
  }

  async #poll(reader: LogReader): Promise<LogBatch[]> {
    try {
      const batches = await reader.poll({
        maxRecords: this.#options.batchRecordsMax ?? BATCH_RECORDS_MAX,
        maxBytes: this.#options.batchBytesMax ?? BATCH_BYTES_MAX,
        waitMs: POLL_WAIT_MS,
        signal: this.#stopping.signal,
      });
      this.#pollFailures = 0;
      return batches;
    } catch (thrown) {
      const error = toFreshetError(thrown, 'LOG_UNAVAILABLE');
      if (!error.retriable) throw error;
      await this.#wait(error, null, ++this.#pollFailures);
      return [];
    }
  }

  async #process(reader: LogReader, batch: LogBatch): Promise<void> {
    const partition = this.#partitions.get(topicPartitionName(batch));
    if (partition === undefined) return; // revoked while the poll was under way
    const { clock } = this.#options;
    const startMs = clock.nowMs();
    const sealedBefore = partition.task.checkpoint.positions.sealed;
    partition.end = batch.highWatermark;
    partition.lastRecordMs = startMs;
    try {
      await partition.task.process(batch);
      partition.failures = 0;
    } catch (thrown) {
      await this.#recover(reader, partition, thrown);
      return;
    }
    await this.#commitSealed(partition, sealedBefore);
    channels.batch.publish({
      ...partition.tp,
      records: batch.count,
      nextOffset: batch.nextOffset,
      highWatermark: batch.highWatermark,
      durationMs: clock.nowMs() - startMs,
    });
  }

  /** Opens the partition anew from its positions and reads on after a pause; fatal errors stop the engine. */
  async #recover(reader: LogReader, partition: Partition, thrown: unknown): Promise<void> {
    if (!(thrown instanceof FreshetError) || !thrown.retriable) throw thrown;
    await partition.task.discard();
    await this.#wait(thrown, partition.tp, ++partition.failures);
    partition.task = await this.#options.openTask(partition.tp);
    reader.seek({ ...partition.tp, offset: partition.task.nextOffset });
  }

  async #wait(error: FreshetError, tp: TopicPartition | null, failures: number): Promise<void> {
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures - 1, 16));
    const { code, message } = error;
    const where = { topic: tp?.topic ?? null, partition: tp?.partition ?? null };
    channels.retry.publish({ ...where, code, reason: message, waitMs });
    await sleep(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  async #cutOld(): Promise<void> {
    for (const partition of this.#partitions.values()) {
      if (partition.task.cutIsDue) await this.#sealAndCommit(partition);
    }
  }

  async #sealAndCommit(partition: Partition): Promise<void> {
    const before = partition.task.checkpoint.positions.sealed;
    await partition.task.seal();
    await this.#commitSealed(partition, before);
  }

  /** Step 5 of a segment: the group's offset is `sealed`, never `applied`, and only advisory. */
  async #commitSealed(partition: Partition, sealedBefore: number): Promise<void> {
    const { sealed, applied } = partition.task.checkpoint.positions;
    if (sealed === sealedBefore) return;
    const cursor = { ...partition.tp, offset: Math.min(sealed, applied) };
    await this.#options.log.commitOffsets(this.#options.group, [cursor]);
    channels.segment.publish({
      ...partition.tp,
      startOffset: sealedBefore,
      endOffset: sealed,
      rows: sealed - sealedBefore,
    });
  }

  #noticeIdle(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const partition of this.#partitions.values()) {
      const idleMs = this.#options.idleMs.get(partition.tp.topic) ?? Number.POSITIVE_INFINITY;
      const idle = nowMs - partition.lastRecordMs > idleMs;
      if (idle === partition.idle) continue;
      partition.idle = idle;
      channels.idle.publish({ ...partition.tp, idle });
    }
  }

  async #assign(tps: readonly TopicPartition[]): Promise<Cursor[]> {
    return Promise.all(
      tps.map(async (tp) => {
        const task = await this.#options.openTask(tp);
        const nowMs = this.#options.clock.nowMs();
        const opened = { tp, task, end: 0, lastRecordMs: nowMs, idle: false, failures: 0 };
        this.#partitions.set(topicPartitionName(tp), opened);
        const nextOffset = resumeOffset(task.checkpoint.positions);
        channels.assigned.publish({ ...tp, nextOffset });
        return { ...tp, offset: nextOffset };
      }),
    );
  }

  /** Called between two batches of these partitions: publishes what they buffered. */
  async #revoke(tps: readonly TopicPartition[]): Promise<void> {
    for (const tp of tps) {
      const partition = this.#partitions.get(topicPartitionName(tp));
      if (partition === undefined) continue;
      await this.#sealAndCommit(partition);
      this.#partitions.delete(topicPartitionName(tp));
      channels.revoked.publish({ ...tp, nextOffset: partition.task.nextOffset });
    }
  }

  async #release(): Promise<void> {
    for (const partition of this.#partitions.values()) await partition.task.discard();
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

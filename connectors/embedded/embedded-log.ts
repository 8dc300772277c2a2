import { type Clock, systemClock } from '../../src/core/clock.ts';
import { type ErrorCode, FreshetError } from '../../src/errors.ts';
import { KvBatch, type KvBinding, type KvStore, openKvStore } from '../../src/kv/index.ts';
import type {
  AppendResult,
  Cursor,
  GroupMembership,
  Log,
  LogCapabilities,
  LogReader,
  ProducedRecord,
  TimestampType,
  TopicDescription,
  TopicPartition,
  TopicSpec,
  Watermarks,
} from '../../src/log/index.ts';
import { PollSignal } from '../../src/log/index.ts';
import type { StoredBatch } from './batch-format.ts';
import { BatchReader } from './batch-reader.ts';
import { eraseRecords } from './erase-records.ts';
import { Groups } from './groups.ts';
import { groupKey } from './log-keys.ts';
import { EmbeddedReader, type ReadableLog } from './reader.ts';
import { enforceRetention, trimBefore } from './retention.ts';
import { StagedAppends } from './staged-appends.ts';
import { json, parse, Topics } from './topics.ts';

export interface EmbeddedLogOptions {
  /** The folder of the log; one process at a time writes it. */
  readonly path: string;
  /** Default the system clock. */
  readonly clock?: Clock;
  /** Default `rocksdb-native`; `memory` keeps nothing. */
  readonly binding?: KvBinding;
  /** Default false. A read-only log shows what was there when it was opened. */
  readonly readOnly?: boolean;
}

/**
 * The log in a folder of this machine, without a service. An append is durable and readable once it
 * resolves, all of it or none, over all its partitions; appends that wait for one another are
 * written together.
 * @throws FreshetError LOG_LOCKED, LOG_CORRUPT, STORE_NOT_FOUND read-only, STORE_VERSION, DISK_FULL
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  const { path, clock = systemClock, binding, readOnly = false } = options;
  try {
    const kv = await openKvStore({ path, readOnly, ...(binding && { binding }) });
    return new EmbeddedLog(kv, await Topics.load(kv), clock, readOnly);
  } catch (thrown) {
    throw asLogError(thrown, path);
  }
}

const RETENTION_EVERY_MS = 1_000;

interface Append {
  readonly records: readonly ProducedRecord[];
  readonly resolve: (results: AppendResult[]) => void;
  readonly reject: (thrown: unknown) => void;
}

class EmbeddedLog implements Log, ReadableLog {
  readonly capabilities: LogCapabilities = {
    groups: true,
    logAppendTime: true,
    compaction: false,
    erase: true,
    shared: false,
  };
  readonly #kv: KvStore;
  readonly #topics: Topics;
  readonly #clock: Clock;
  readonly #readOnly: boolean;
  readonly #groups: Groups;
  readonly signal = new PollSignal();
  readonly #readers = new Set<EmbeddedReader>();
  readonly #batches: BatchReader;
  readonly #nextPartition = new Map<string, number>();
  readonly #queue: Append[] = [];
  #writing: Promise<void> | null = null;
  #lastChange: Promise<unknown> = Promise.resolve();
  #nextRetentionMs = 0;
  #closing: Promise<void> | null = null;

  constructor(kv: KvStore, topics: Topics, clock: Clock, readOnly: boolean) {
    this.#kv = kv;
    this.#topics = topics;
    this.#batches = new BatchReader(kv, topics);
    this.#clock = clock;
    this.#readOnly = readOnly;
    this.#groups = new Groups((topic) => topics.partitionsOf(topics.require({ topic })));
  }

  async assign(cursors: readonly Cursor[]): Promise<LogReader> {
    this.#requireOpen();
    for (const cursor of cursors) this.#topics.require(cursor);
    const reader: EmbeddedReader = new EmbeddedReader(this, {
      settle: async () => {},
      onClose: () => void this.#readers.delete(reader),
    });
    this.#readers.add(reader);
    reader.reassign(cursors, []);
    return reader;
  }

  async join(membership: GroupMembership): Promise<LogReader> {
    this.#requireOpen();
    const { group, topics } = membership;
    for (const topic of topics) this.#topics.require({ topic });
    const reader: EmbeddedReader = new EmbeddedReader(this, {
      settle: () => this.#groups.settle(group, reader),
      onClose: () => {
        this.#readers.delete(reader);
        this.#groups.leave(group, reader);
      },
    });
    this.#readers.add(reader);
    try {
      await this.#groups.join(membership, reader);
    } catch (thrown) {
      await reader.close();
      throw thrown;
    }
    return reader;
  }

  append(records: readonly ProducedRecord[]): Promise<AppendResult[]> {
    return new Promise((resolve, reject) => {
      this.#requireWritable();
      this.#queue.push({ records, resolve, reject });
      this.#writing ??= this.#exclusive(() => this.#writeQueue());
    });
  }

  async createTopic(spec: TopicSpec): Promise<{ created: boolean }> {
    this.#requireWritable();
    return this.#exclusive(() => this.#topics.create(spec));
  }

  async deleteTopic(topic: string): Promise<void> {
    this.#requireWritable();
    await this.#exclusive(() => this.#topics.delete(topic));
  }

  async listTopics(): Promise<string[]> {
    this.#requireOpen();
    return this.#topics.names();
  }

  async describeTopic(topic: string): Promise<TopicDescription> {
    this.#requireOpen();
    return this.#topics.describe(topic);
  }

  async deleteRecordsBefore(tp: TopicPartition, offset: number): Promise<void> {
    this.#requireWritable();
    const topic = this.#topics.require(tp);
    await this.#exclusive(() => trimBefore(this.#kv, this.#topics, topic, tp.partition, offset));
  }

  async eraseRecords(records: readonly Cursor[]): Promise<void> {
    this.#requireWritable();
    for (const record of records) this.#topics.require(record);
    await this.#exclusive(() => eraseRecords(this.#kv, this.#topics, this.#batches, records));
  }

  async watermarks(tps: readonly TopicPartition[]): Promise<Watermarks[]> {
    this.#requireOpen();
    return tps.map(({ topic, partition }) => ({
      topic,
      partition,
      ...this.bounds({ topic, partition }),
    }));
  }

  /** By halves where timestamps rise; record by record where producers set them. */
  async offsetForTime(tp: TopicPartition, timestampMs: number): Promise<number | null> {
    this.#requireOpen();
    const { timestampType } = this.#topics.require(tp);
    const { start, end } = this.bounds(tp);
    let from = start;
    if (timestampType === 'LogAppendTime') {
      for (let to = end; from < to; ) {
        const middle = Math.floor((from + to) / 2);
        const batch = await this.#batches.batchAt(tp, middle);
        const next = batch === null ? middle + 1 : batch.baseOffset + batch.count;
        const isOlder = batch === null || batch.timestampMs(batch.count - 1) < timestampMs;
        if (isOlder) from = next;
        else to = Math.max(from, batch.baseOffset);
      }
    }
    while (from < end) {
      const batch = await this.#batches.batchAt(tp, from);
      if (batch === null) {
        from = this.bounds(tp).start;
        continue;
      }
      for (let i = from - batch.baseOffset; i < batch.count; i++) {
        if (batch.timestampMs(i) >= timestampMs) return batch.baseOffset + i;
      }
      from = batch.baseOffset + batch.count;
    }
    return null;
  }

  async committedOffsets(
    group: string,
    tps: readonly TopicPartition[],
  ): Promise<(number | null)[]> {
    this.#requireOpen();
    const keys = tps.map((tp) => groupKey(group, this.#topics.require(tp).id, tp.partition));
    const values = await this.#kv.getMany(keys);
    return values.map((value) => (value === undefined ? null : parse<number>(value)));
  }

  async commitOffsets(group: string, cursors: readonly Cursor[]): Promise<void> {
    this.#requireWritable();
    const batch = new KvBatch();
    for (const cursor of cursors) {
      const { id } = this.#topics.require(cursor);
      if (this.#groups.fences(group, cursor)) {
        throw new FreshetError('LOG_FENCED', `another member of group "${group}" reads it`, {
          where: { topic: cursor.topic, partition: cursor.partition },
        });
      }
      batch.put(groupKey(group, id, cursor.partition), json(cursor.offset));
    }
    await this.#kv.write(batch);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  bounds(tp: TopicPartition): { start: number; end: number } {
    const { start, next } = this.#topics.state(this.#topics.require(tp), tp.partition);
    return { start, end: next };
  }

  timestampType(topic: string): TimestampType {
    return this.#topics.require({ topic }).timestampType;
  }

  read(
    tp: TopicPartition,
    offset: number,
    recordsMax: number,
    bytesMax: number,
  ): Promise<StoredBatch[] | null> {
    return this.#batches.read(tp, offset, recordsMax, bytesMax);
  }

  async #close(): Promise<void> {
    for (const reader of [...this.#readers]) await reader.close();
    await this.#lastChange;
    await this.#kv.close();
  }

  /** One change of topics and positions at a time. */
  #exclusive<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(task);
    this.#lastChange = result.catch(() => {}); // the caller gets the error
    return result;
  }

  /** Appends of the same turn, and those that came while the last were written, go together. */
  async #writeQueue(): Promise<void> {
    while (this.#queue.length > 0) {
      const appends = this.#queue.splice(0);
      try {
        await this.#writeTogether(appends);
      } catch (thrown) {
        for (const append of appends) append.reject(thrown);
      }
    }
    this.#writing = null;
  }

  async #writeTogether(appends: readonly Append[]): Promise<void> {
    // First, because it moves the starts of partitions.
    await this.#retain();
    const staged = new StagedAppends(this.#topics, this.#nextPartition, this.#clock.nowMs());
    const accepted: (() => void)[] = [];
    for (const append of appends) {
      try {
        const results = staged.add(append.records);
        accepted.push(() => append.resolve(results));
      } catch (thrown) {
        append.reject(thrown);
      }
    }
    await this.#kv.write(staged.encode(), { sync: true });
    staged.commit();
    for (const accept of accepted) accept();
    this.signal.notify();
  }

  async #retain(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextRetentionMs) return;
    this.#nextRetentionMs = nowMs + RETENTION_EVERY_MS;
    await enforceRetention(this.#kv, this.#topics, nowMs);
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new FreshetError('STORE_CLOSED', 'the log is closed');
  }

  #requireWritable(): void {
    this.#requireOpen();
    if (!this.#readOnly) return;
    throw new FreshetError('INVALID_ARGUMENT', 'the log was opened read-only', {
      next: 'Open the log without `readOnly` to change it.',
    });
  }
}

const LOG_CODES: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  STORE_LOCKED: 'LOG_LOCKED',
  STORE_CORRUPT: 'LOG_CORRUPT',
};

function asLogError(thrown: unknown, path: string): unknown {
  if (!(thrown instanceof FreshetError)) return thrown;
  const code = LOG_CODES[thrown.code];
  if (code === undefined) return thrown;
  const what =
    code === 'LOG_LOCKED' ? `another process has the log in ${path} open` : thrown.message;
  return new FreshetError(code, what, { cause: thrown, where: { file: path } });
}

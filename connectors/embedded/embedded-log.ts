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
import { topicPartitionName } from '../../src/log/index.ts';
import { AppendSignal } from './append-signal.ts';
import { decodeBatch, type StoredBatch } from './batch-format.ts';
import { Groups } from './groups.ts';
import { baseOffsetOf, batchKey, groupKey } from './log-keys.ts';
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
    return new EmbeddedLog(kv, await Topics.load(kv), clock);
  } catch (thrown) {
    throw asLogError(thrown, path);
  }
}

const READ_PAGE_BATCHES = 16;
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
    shared: false,
  };
  readonly #kv: KvStore;
  readonly #topics: Topics;
  readonly #clock: Clock;
  readonly #groups: Groups;
  readonly #signal = new AppendSignal();
  readonly #readers = new Set<EmbeddedReader>();
  readonly #lastRead = new Map<string, StoredBatch>();
  readonly #nextPartition = new Map<string, number>();
  readonly #queue: Append[] = [];
  #writing: Promise<void> | null = null;
  #lastChange: Promise<unknown> = Promise.resolve();
  #nextRetentionMs = 0;
  #closed = false;

  constructor(kv: KvStore, topics: Topics, clock: Clock) {
    this.#kv = kv;
    this.#topics = topics;
    this.#clock = clock;
    this.#groups = new Groups((topic) => topics.partitionsOf(topics.require({ topic })));
  }

  async assign(cursors: readonly Cursor[]): Promise<LogReader> {
    this.#requireOpen();
    for (const cursor of cursors) this.#topics.require(cursor);
    const reader: EmbeddedReader = new EmbeddedReader(
      this,
      () => void this.#readers.delete(reader),
    );
    this.#readers.add(reader);
    reader.reassign(cursors, []);
    return reader;
  }

  async join(membership: GroupMembership): Promise<LogReader> {
    this.#requireOpen();
    for (const topic of membership.topics) this.#topics.require({ topic });
    const reader: EmbeddedReader = new EmbeddedReader(this, async () => {
      this.#readers.delete(reader);
      await this.#groups.leave(membership.group, reader);
    });
    this.#readers.add(reader);
    await this.#groups.join(membership, reader);
    return reader;
  }

  append(records: readonly ProducedRecord[]): Promise<AppendResult[]> {
    return new Promise((resolve, reject) => {
      this.#requireOpen();
      this.#queue.push({ records, resolve, reject });
      this.#writing ??= this.#exclusive(() => this.#writeQueue());
    });
  }

  async createTopic(spec: TopicSpec): Promise<{ created: boolean }> {
    this.#requireOpen();
    return this.#exclusive(() => this.#topics.create(spec));
  }

  async deleteTopic(topic: string): Promise<void> {
    this.#requireOpen();
    await this.#exclusive(() => this.#topics.delete(topic));
    this.#lastRead.clear();
  }

  async listTopics(): Promise<string[]> {
    return this.#topics.names();
  }

  async describeTopic(topic: string): Promise<TopicDescription> {
    return this.#topics.describe(topic);
  }

  async deleteRecordsBefore(tp: TopicPartition, offset: number): Promise<void> {
    this.#requireOpen();
    const topic = this.#topics.require(tp);
    await this.#exclusive(() => trimBefore(this.#kv, this.#topics, topic, tp.partition, offset));
  }

  async watermarks(tps: readonly TopicPartition[]): Promise<Watermarks[]> {
    return tps.map(({ topic, partition }) => ({
      topic,
      partition,
      ...this.bounds({ topic, partition }),
    }));
  }

  /** By halves where timestamps rise; record by record where producers set them. */
  async offsetForTime(tp: TopicPartition, timestampMs: number): Promise<number | null> {
    const { timestampType } = this.#topics.require(tp);
    const { start, end } = this.bounds(tp);
    let from = start;
    if (timestampType === 'LogAppendTime') {
      for (let to = end; from < to; ) {
        const batch = await this.#batchAt(tp, Math.floor((from + to) / 2));
        const next = batch.baseOffset + batch.count;
        if (batch.timestampMs(batch.count - 1) < timestampMs) from = next;
        else to = Math.max(from, batch.baseOffset);
      }
    }
    while (from < end) {
      const batch = await this.#batchAt(tp, from);
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
    const keys = tps.map((tp) => groupKey(group, this.#topics.require(tp).id, tp.partition));
    const values = await this.#kv.getMany(keys);
    return values.map((value) => (value === undefined ? null : parse<number>(value)));
  }

  async commitOffsets(group: string, cursors: readonly Cursor[]): Promise<void> {
    this.#requireOpen();
    const batch = new KvBatch();
    for (const cursor of cursors) {
      const { id } = this.#topics.require(cursor);
      batch.put(groupKey(group, id, cursor.partition), json(cursor.offset));
    }
    await this.#kv.write(batch);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    for (const reader of [...this.#readers]) await reader.close();
    this.#closed = true;
    this.#signal.notify();
    await this.#lastChange;
    await this.#kv.close();
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

  async read(
    tp: TopicPartition,
    offset: number,
    recordsMax: number,
    bytesMax: number,
  ): Promise<StoredBatch[]> {
    const first = await this.#batchAt(tp, offset);
    const batches = [first];
    let records = first.baseOffset + first.count - offset;
    let bytes = first.byteLength;
    const { id } = this.#topics.require(tp);
    const range = {
      gte: batchKey(id, tp.partition, first.baseOffset + first.count),
      lt: batchKey(id, tp.partition + 1, 0),
      pageSize: READ_PAGE_BATCHES,
    };
    if (records >= recordsMax || bytes >= bytesMax) return batches;
    scan: for await (const page of this.#kv.scan(range)) {
      for (const [key, value] of page) {
        const batch = decodeBatch(value, { ...tp, offset: baseOffsetOf(key) });
        batches.push(batch);
        records += batch.count;
        bytes += batch.byteLength;
        if (records >= recordsMax || bytes >= bytesMax) break scan;
      }
    }
    this.#lastRead.set(topicPartitionName(tp), batches.at(-1) as StoredBatch);
    return batches;
  }

  appended(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#signal.wait(ms, signal);
  }

  /** The stored batch that holds the offset; most reads go on in the batch where the last one ended. */
  async #batchAt(tp: TopicPartition, offset: number): Promise<StoredBatch> {
    const last = this.#lastRead.get(topicPartitionName(tp));
    if (last && last.baseOffset <= offset && offset < last.baseOffset + last.count) return last;
    const { id } = this.#topics.require(tp);
    const range = {
      gte: batchKey(id, tp.partition, 0),
      lt: batchKey(id, tp.partition, offset + 1),
      reverse: true,
      limit: 1,
    };
    for await (const page of this.#kv.scan(range)) {
      for (const [key, value] of page) {
        const batch = decodeBatch(value, { ...tp, offset: baseOffsetOf(key) });
        if (offset < batch.baseOffset + batch.count) return batch;
      }
    }
    throw new FreshetError('LOG_CORRUPT', `the log has no record at offset ${offset}`, {
      where: { ...tp, offset },
    });
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
      const staged = new StagedAppends(this.#topics, this.#nextPartition, this.#clock.nowMs());
      const accepted = appends.flatMap((append) => {
        try {
          return [{ ...append, results: staged.add(append.records) }];
        } catch (thrown) {
          append.reject(thrown);
          return [];
        }
      });
      try {
        await this.#retain();
        await this.#kv.write(staged.encode(), { sync: true });
        staged.commit();
        for (const append of accepted) append.resolve(append.results);
        this.#signal.notify();
      } catch (thrown) {
        for (const append of accepted) append.reject(thrown);
      }
    }
    this.#writing = null;
  }

  async #retain(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextRetentionMs) return;
    this.#nextRetentionMs = nowMs + RETENTION_EVERY_MS;
    await enforceRetention(this.#kv, this.#topics, nowMs);
  }

  #requireOpen(): void {
    if (this.#closed) throw new FreshetError('STORE_CLOSED', 'the log is closed');
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

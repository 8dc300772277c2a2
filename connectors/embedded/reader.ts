import { FreshetError } from '../../src/errors.ts';
import type {
  Cursor,
  LogBatch,
  LogReader,
  PollOptions,
  PollSignal,
  TopicPartition,
} from '../../src/log/index.ts';
import { topicPartitionName } from '../../src/log/index.ts';
import type { StoredBatch } from './batch-format.ts';

/** What a reader needs of its log. */
export interface ReadableLog {
  /** Notified at each append. */
  readonly signal: PollSignal;
  bounds(tp: TopicPartition): { readonly start: number; readonly end: number };
  timestampType(topic: string): LogBatch['timestampType'];
  /**
   * Stored batches from the one that holds `offset` on, until the bounds are met; null when the
   * record has been removed meanwhile.
   */
  read(
    tp: TopicPartition,
    offset: number,
    recordsMax: number,
    bytesMax: number,
  ): Promise<StoredBatch[] | null>;
}

/** What a group does for its reader. */
interface ReaderHooks {
  /** Before each attempt of a poll. */
  settle(): Promise<void>;
  onClose(): void;
}

const RECORDS_MAX = 8_192;
const BYTES_MAX = 4 * 1024 * 1024;

export class EmbeddedReader implements LogReader {
  readonly #log: ReadableLog;
  readonly #cursors = new Map<string, { tp: TopicPartition; offset: number }>();
  readonly #paused = new Set<string>();
  readonly #hooks: ReaderHooks;
  #generation = 0;
  readonly #closing = new AbortController();

  constructor(log: ReadableLog, hooks: ReaderHooks) {
    this.#log = log;
    this.#hooks = hooks;
  }

  get assignment(): readonly TopicPartition[] {
    return [...this.#cursors.values()].map(({ tp }) => tp);
  }

  get generation(): number {
    return this.#generation;
  }

  owns(tp: TopicPartition): boolean {
    return this.#cursors.has(topicPartitionName(tp));
  }

  /** Adds and removes partitions; a new generation. */
  reassign(added: readonly Cursor[], removed: readonly TopicPartition[]): void {
    for (const tp of removed) {
      this.#cursors.delete(topicPartitionName(tp));
      this.#paused.delete(topicPartitionName(tp));
    }
    for (const { topic, partition, offset } of added) {
      const tp = { topic, partition };
      this.#cursors.set(topicPartitionName(tp), { tp, offset });
    }
    this.#generation++;
  }

  async poll(options: PollOptions = {}): Promise<LogBatch[]> {
    if (this.#closing.signal.aborted)
      throw new FreshetError('STORE_CLOSED', 'the reader of the log is closed');
    const { waitMs = 0, signal } = options;
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    return this.#log.signal.poll(() => this.#attempt(options), waitMs, stop);
  }

  pause(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#paused.add(topicPartitionName(tp));
  }

  resume(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#paused.delete(topicPartitionName(tp));
    this.wake();
  }

  seek({ topic, partition, offset }: Cursor): void {
    const tp = { topic, partition };
    if (!this.owns(tp)) {
      throw new FreshetError('LOG_FENCED', 'the partition is not assigned to this reader', {
        where: tp,
      });
    }
    this.#cursors.set(topicPartitionName(tp), { tp, offset });
    this.wake();
  }

  /** Lets a waiting poll look again. */
  wake(): void {
    this.#log.signal.notify();
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#hooks.onClose();
    this.#cursors.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #attempt(options: PollOptions): Promise<LogBatch[]> {
    if (!this.#closing.signal.aborted) await this.#hooks.settle();
    return this.#readAll(options);
  }

  /** Cursors move together at the end: a partition that fails takes no records of others with it. */
  async #readAll(options: PollOptions): Promise<LogBatch[]> {
    const read: { cursor: { offset: number }; batch: LogBatch }[] = [];
    for (const [name, cursor] of [...this.#cursors]) {
      if (this.#paused.has(name)) continue;
      const batch = await this.#readOne(cursor.tp, cursor.offset, options);
      if (batch !== null) read.push({ cursor, batch });
    }
    // A seek, pause or close while a read was under way wins.
    const current = read.filter(({ cursor, batch }) => {
      const name = topicPartitionName(batch);
      return this.#cursors.get(name) === cursor && !this.#paused.has(name);
    });
    for (const { cursor, batch } of current) cursor.offset = batch.nextOffset;
    return current.map(({ batch }) => batch);
  }

  async #readOne(
    tp: TopicPartition,
    offset: number,
    options: PollOptions,
  ): Promise<LogBatch | null> {
    const { start, end } = this.#log.bounds(tp);
    requireWithin(tp, offset, start, end);
    if (offset === end) return null;
    const recordsMax = options.maxRecords ?? RECORDS_MAX;
    const bytesMax = options.maxBytes ?? BYTES_MAX;
    const stored = await this.#log.read(tp, offset, recordsMax, bytesMax);
    if (stored === null) return this.#readOne(tp, offset, options);
    return toLogBatch(tp, offset, stored, { recordsMax, bytesMax, start, end }, this.#log);
  }
}

function requireWithin(tp: TopicPartition, offset: number, start: number, end: number): void {
  const where = { ...tp, offset };
  if (offset < start) {
    const what = `records ${offset} to ${start - 1} were removed before they were read`;
    throw new FreshetError('OFFSET_GAP', what, { where });
  }
  if (offset > end) {
    const what = `the log ends at ${end}, before the cursor`;
    throw new FreshetError('OFFSET_RESET', what, { where });
  }
}

interface Limits {
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly start: number;
  readonly end: number;
}

function toLogBatch(
  tp: TopicPartition,
  from: number,
  stored: readonly StoredBatch[],
  limits: Limits,
  log: ReadableLog,
): LogBatch {
  const offsets: number[] = [];
  const timestamps: number[] = [];
  const keys: (Uint8Array | null)[] = [];
  const values: (Uint8Array | null)[] = [];
  const places: [batch: StoredBatch, i: number][] = [];
  let bytes = 0;
  let nextOffset = from;
  collect: for (const batch of stored) {
    for (let i = Math.max(0, from - batch.baseOffset); i < batch.count; i++) {
      const offset = batch.baseOffset + i;
      if (offset >= limits.end) break collect;
      bytes += batch.valueSize(i);
      const full = offsets.length >= limits.recordsMax || bytes > limits.bytesMax;
      if (full && offsets.length > 0) break collect;
      nextOffset = offset + 1;
      if (batch.isErased(i)) continue;
      offsets.push(offset);
      timestamps.push(batch.timestampMs(i));
      keys.push(batch.key(i));
      values.push(batch.value(i));
      places.push([batch, i]);
    }
  }
  return {
    ...tp,
    count: offsets.length,
    offsets: Float64Array.from(offsets),
    nextOffset,
    highWatermark: limits.end,
    logStartOffset: limits.start,
    timestampsMs: Float64Array.from(timestamps),
    timestampType: log.timestampType(tp.topic),
    keys,
    values,
    headers: (i) => {
      const [batch, place] = places[i] as [StoredBatch, number];
      return batch.headers(place);
    },
  };
}

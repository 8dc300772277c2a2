import { FreshetError } from '../../src/errors.ts';
import type {
  Cursor,
  LogBatch,
  LogReader,
  PollOptions,
  TopicPartition,
} from '../../src/log/index.ts';
import { topicPartitionName } from '../../src/log/index.ts';
import type { StoredBatch } from './batch-format.ts';

/** What a reader needs of its log. */
export interface ReadableLog {
  bounds(tp: TopicPartition): { readonly start: number; readonly end: number };
  timestampType(topic: string): LogBatch['timestampType'];
  /** Stored batches from the one that holds `offset` on, until the bounds are met. */
  read(
    tp: TopicPartition,
    offset: number,
    recordsMax: number,
    bytesMax: number,
  ): Promise<StoredBatch[]>;
  /** Resolves at the next append, or when the signal is aborted or `ms` have passed. */
  appended(ms: number, signal?: AbortSignal): Promise<void>;
}

const RECORDS_MAX = 8_192;
const BYTES_MAX = 4 * 1024 * 1024;

export class EmbeddedReader implements LogReader {
  readonly #log: ReadableLog;
  readonly #cursors = new Map<string, { tp: TopicPartition; offset: number }>();
  readonly #paused = new Set<string>();
  readonly #onClose: () => void | Promise<void>;
  #generation = 1;
  #closed = false;

  constructor(log: ReadableLog, onClose: () => void | Promise<void> = () => {}) {
    this.#log = log;
    this.#onClose = onClose;
  }

  get assignment(): readonly TopicPartition[] {
    return [...this.#cursors.values()].map(({ tp }) => tp);
  }

  get generation(): number {
    return this.#generation;
  }

  /** Adds and removes partitions; a new generation. */
  reassign(added: readonly Cursor[], removed: readonly TopicPartition[]): void {
    for (const tp of removed) this.#cursors.delete(topicPartitionName(tp));
    for (const cursor of added) this.seek(cursor);
    this.#generation++;
  }

  async poll(options: PollOptions = {}): Promise<LogBatch[]> {
    const { waitMs = 0, signal } = options;
    this.#requireOpen();
    const first = await this.#readAll(options);
    if (first.length > 0 || waitMs === 0 || signal?.aborted) return first;
    await this.#log.appended(waitMs, signal);
    return this.#closed ? [] : this.#readAll(options);
  }

  pause(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#paused.add(topicPartitionName(tp));
  }

  resume(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#paused.delete(topicPartitionName(tp));
  }

  seek({ topic, partition, offset }: Cursor): void {
    const tp = { topic, partition };
    this.#cursors.set(topicPartitionName(tp), { tp, offset });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#onClose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #readAll(options: PollOptions): Promise<LogBatch[]> {
    const batches: LogBatch[] = [];
    for (const [name, cursor] of [...this.#cursors]) {
      if (this.#paused.has(name)) continue;
      const batch = await this.#readOne(cursor.tp, cursor.offset, options);
      // A seek or a revocation while the read was under way wins.
      if (batch === null || this.#cursors.get(name) !== cursor) continue;
      cursor.offset = batch.nextOffset;
      batches.push(batch);
    }
    return batches;
  }

  async #readOne(
    tp: TopicPartition,
    offset: number,
    options: PollOptions,
  ): Promise<LogBatch | null> {
    const { start, end } = this.#log.bounds(tp);
    const where = { ...tp, offset };
    if (offset < start) {
      throw new FreshetError(
        'OFFSET_GAP',
        `records ${offset} to ${start - 1} were removed before they were read`,
        { where },
      );
    }
    if (offset > end) {
      throw new FreshetError('OFFSET_RESET', `the log ends at ${end}, before the cursor`, {
        where,
      });
    }
    if (offset === end) return null;
    const recordsMax = options.maxRecords ?? RECORDS_MAX;
    const bytesMax = options.maxBytes ?? BYTES_MAX;
    const stored = await this.#log.read(tp, offset, recordsMax, bytesMax);
    return toLogBatch(tp, offset, stored, { recordsMax, bytesMax, start, end }, this.#log);
  }

  #requireOpen(): void {
    if (this.#closed) throw new FreshetError('STORE_CLOSED', 'the reader of the log is closed');
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
  collect: for (const batch of stored) {
    for (let i = Math.max(0, from - batch.baseOffset); i < batch.count; i++) {
      const offset = batch.baseOffset + i;
      if (offset >= limits.end) break collect;
      bytes += batch.valueSize(i);
      const full = offsets.length >= limits.recordsMax || bytes > limits.bytesMax;
      if (full && offsets.length > 0) break collect;
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
    nextOffset: (offsets.at(-1) ?? from - 1) + 1,
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

import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../../src/errors.ts';
import {
  type Cursor,
  type LogBatch,
  type PollOptions,
  type PollSignal,
  type TopicPartition,
  topicPartitionName,
} from '../../src/log/index.ts';
import { type FetchedPartition, fetchRequest } from './fetch-request.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { errorTypeOf, isTransient, toLogError } from './kafka-error.ts';
import { protocolError } from './kafkajs-internals.ts';
import { PartitionCursor } from './partition-cursor.ts';

export interface FetcherOptions {
  readonly cluster: KafkaCluster;
  /** Notified when records or an error have come. */
  readonly signal: PollSignal;
  /** Asked where a log begins and ends when a cursor is not within it. */
  readonly bounds: (
    tp: TopicPartition,
  ) => Promise<{ readonly start: number; readonly end: number }>;
  /** How long a broker may hold a fetch that finds nothing. */
  readonly maxWaitMs: number;
  /** Bytes of one fetch of one partition; what is fetched ahead is bounded by it. */
  readonly partitionBytesMax: number;
}

const FETCH_BYTES_MAX = 32 * 1024 * 1024;
/** Failures of a partition in a row before a poll throws; each is followed by a longer wait. */
const FAILURES_MAX = 4;
const WAIT_MS_MIN = 50;
/** Errors of a partition after which its leader is asked for again. */
const STALE = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
];

/**
 * Keeps one fetch under way at each broker that leads a partition with nothing left to deliver, so
 * that the next records come while the last are processed. Cursors move only when records are
 * taken, and never by themselves: a broker that knows no such offset makes an error, not a jump.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #partitions = new Map<string, PartitionCursor>();
  readonly #fetching = new Set<number>();
  #isPreparing = false;
  #isClosed = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  get assignment(): TopicPartition[] {
    return [...this.#partitions.values()].map(({ tp }) => tp);
  }

  has(tp: TopicPartition): boolean {
    return this.#partitions.has(topicPartitionName(tp));
  }

  add({ topic, partition, offset }: Cursor): void {
    const cursor = new PartitionCursor({ topic, partition }, offset);
    this.#partitions.set(topicPartitionName(cursor.tp), cursor);
  }

  remove(tp: TopicPartition): void {
    this.#partitions.delete(topicPartitionName(tp));
  }

  setPaused(tp: TopicPartition, isPaused: boolean): void {
    const found = this.#partitions.get(topicPartitionName(tp));
    if (found === undefined) return;
    found.isPaused = isPaused;
    this.#options.signal.notify();
  }

  /** What was fetched from elsewhere is dropped. */
  seek(cursor: Cursor): void {
    this.add(cursor);
    this.#options.signal.notify();
  }

  close(): void {
    this.#isClosed = true;
    this.#partitions.clear();
  }

  /**
   * What has come, at most one batch a partition, and fetches on.
   * @throws FreshetError OFFSET_GAP, OFFSET_RESET, TOPIC_UNKNOWN, LOG_UNAVAILABLE
   */
  take(options: PollOptions): LogBatch[] {
    const active = [...this.#partitions.values()].filter(({ isPaused }) => !isPaused);
    const failed = active.find(({ error }) => error !== null);
    if (failed !== undefined) throw this.#takeError(failed);
    const batches = active.flatMap((partition) => partition.take(options) ?? []);
    this.#fetchOn();
    return batches;
  }

  /** The next poll asks again; a broker that is away is told once for all its partitions. */
  #takeError(failed: PartitionCursor): unknown {
    const { error } = failed;
    failed.error = null;
    if (!isTransient(error)) return error;
    for (const other of this.#partitions.values()) {
      if (isTransient(other.error)) other.error = null;
    }
    return error;
  }

  #fetchOn(): void {
    if (this.#isPreparing || this.#isClosed) return;
    const wanting = [...this.#partitions.values()].filter((partition) => partition.isWanting);
    if (wanting.length === 0) return;
    this.#isPreparing = true;
    void this.#start(wanting).then((hasFailed) => {
      this.#isPreparing = false;
      // Whatever was started says itself when it is done.
      if (hasFailed) this.#options.signal.notify();
    });
  }

  /** True when a partition has no leader now. */
  async #start(wanting: readonly PartitionCursor[]): Promise<boolean> {
    const byName = new Map(wanting.map((each) => [topicPartitionName(each.tp), each]));
    const named = (tps: readonly TopicPartition[]): PartitionCursor[] =>
      tps.flatMap((tp) => byName.get(topicPartitionName(tp)) ?? []);
    const { byNode, failed } = await this.#options.cluster.byLeader(wanting.map(({ tp }) => tp));
    for (const [nodeId, tps] of byNode) {
      // A fetch under way says when it is done, and the next one starts from there.
      if (this.#fetching.has(nodeId)) continue;
      this.#fetching.add(nodeId);
      const partitions = named(tps);
      this.#fetch(nodeId, partitions)
        .catch((thrown: unknown) => this.#failed(thrown, partitions))
        .finally(() => this.#ended(nodeId));
    }
    await Promise.all([...failed].map(([tp, thrown]) => this.#failed(thrown, named([tp]))));
    return failed.size > 0;
  }

  #ended(nodeId: number): void {
    this.#fetching.delete(nodeId);
    this.#options.signal.notify();
  }

  async #fetch(nodeId: number, partitions: readonly PartitionCursor[]): Promise<void> {
    const { cluster, maxWaitMs, partitionBytesMax } = this.#options;
    const broker = await cluster.broker(nodeId);
    // While others have records to deliver, the next poll must not wait for these.
    const isHurried = [...this.#partitions.values()].some(({ hasRecords }) => hasRecords);
    const fetched = await cluster.send(
      broker,
      fetchRequest({
        partitions: partitions.map(({ tp, offset }) => ({ ...tp, offset })),
        maxWaitMs: isHurried ? 0 : maxWaitMs,
        maxBytes: FETCH_BYTES_MAX,
        partitionMaxBytes: partitionBytesMax,
      }),
    );
    const byName = new Map(partitions.map((each) => [topicPartitionName(each.tp), each]));
    let isStale = false;
    for (const answer of fetched) {
      const partition = byName.get(topicPartitionName(answer));
      if (partition === undefined || !this.#isCurrent(partition)) continue;
      partition.failures = 0;
      if (await this.#accept(partition, answer)) isStale = true;
    }
    if (!isStale) return;
    cluster.forget();
    await sleep(WAIT_MS_MIN);
  }

  /** A partition that was sought, revoked or assigned again is another object now. */
  #isCurrent(partition: PartitionCursor): boolean {
    return this.#partitions.get(topicPartitionName(partition.tp)) === partition;
  }

  /** True when another broker has the partition now. */
  async #accept(partition: PartitionCursor, answer: FetchedPartition): Promise<boolean> {
    const { tp, offset } = partition;
    try {
      if (answer.errorCode !== 0) {
        const error = protocolError(answer.errorCode);
        const type = errorTypeOf(error) ?? '';
        if (type === 'OFFSET_OUT_OF_RANGE') await this.#explain(partition);
        else if (STALE.includes(type)) return true;
        else partition.error = toLogError(error, { ...tp, offset });
        return false;
      }
      if (answer.logStartOffset > offset) throw gap(tp, offset, answer.logStartOffset);
      partition.accept(await answer.records(offset), answer);
    } catch (thrown) {
      partition.error = withPlace(thrown, tp, offset);
    }
    return false;
  }

  /** kafkajs would start again from one of the ends; here it is said which one was passed. */
  async #explain({ tp, offset }: PartitionCursor): Promise<void> {
    const { start, end } = await this.#options.bounds(tp);
    if (offset < start) throw gap(tp, offset, start);
    if (offset <= end) return; // a leader that had not caught up
    throw new FreshetError('OFFSET_RESET', `the log ends at ${end}, before the cursor`, {
      where: { ...tp, offset },
    });
  }

  /** Waits, so that what fails at once is not tried in a tight loop. */
  async #failed(thrown: unknown, partitions: readonly PartitionCursor[]): Promise<void> {
    if (this.#isClosed) return;
    const mayPass = isTransient(thrown);
    let failures = 0;
    for (const partition of partitions) {
      failures = Math.max(failures, ++partition.failures);
      if (mayPass && partition.failures < FAILURES_MAX) continue;
      partition.failures = 0;
      partition.error = withPlace(thrown, partition.tp, partition.offset);
    }
    if (!mayPass) return;
    this.#options.cluster.forget();
    await sleep(WAIT_MS_MIN * 2 ** Math.min(failures, FAILURES_MAX));
  }
}

function gap(tp: TopicPartition, offset: number, start: number): FreshetError {
  const what = `records ${offset} to ${start - 1} were removed before they were read`;
  return new FreshetError('OFFSET_GAP', what, { where: { ...tp, offset } });
}

/** A decoder knows the bytes, not where they come from. */
function withPlace(thrown: unknown, tp: TopicPartition, offset: number): Error {
  const error = toLogError(thrown, { ...tp, offset });
  if (!(error instanceof FreshetError) || error.where.topic !== undefined) return error;
  return new FreshetError(error.code, error.message, { where: { ...tp, offset }, cause: error });
}

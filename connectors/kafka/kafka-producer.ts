import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../src/core/clock.ts';
import { partitionForKey } from '../../src/core/murmur2.ts';
import { FreshetError } from '../../src/errors.ts';
import {
  type AppendResult,
  type ProducedRecord,
  type TopicPartition,
  topicPartitionName,
} from '../../src/log/index.ts';
import type { Compression } from './codecs.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { errorTypeOf, isTransient, toLogError } from './kafka-error.ts';
import { protocolError } from './kafkajs-internals.ts';
import {
  type ProducedPartition,
  type ProducePartition,
  produceRequest,
} from './produce-request.ts';
import { type EncodableRecord, encodeRecordBatch, recordSizeMax } from './record-encoder.ts';

export interface KafkaProducerOptions {
  readonly cluster: KafkaCluster;
  readonly clock: Clock;
  readonly compression: Compression;
  /** Bytes of a record batch before packing; topics take 1 MiB unless they say otherwise. */
  readonly batchBytesMax: number;
}

interface Append {
  readonly records: readonly ProducedRecord[];
  readonly resolve: (results: AppendResult[]) => void;
  readonly reject: (thrown: unknown) => void;
}

/** Records of one partition that go in one request, and where their offsets are to be written. */
interface PendingBatch extends TopicPartition {
  readonly records: EncodableRecord[];
  readonly done: ((offset: number) => void)[];
  readonly failed: ((thrown: unknown) => void)[];
  bytes: number;
  /** Of its first attempt; later ones must repeat them, or they would be stored again. */
  numbers: { readonly identity: ProducerId; readonly baseSequence: number } | null;
}

interface ProducerId {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly sequences: Map<string, number>;
}

/** Waits between attempts at a batch, in milliseconds: 30 seconds in all, as a broker's restart takes. */
const WAITS_MS = [50, 100, 200, 400, 800, ...Array<number>(29).fill(1_000)];
const UNKNOWN_FAILURES_MAX = 5;
const SEQUENCE_END = 2 ** 31;
/** Answers after which the broker knows nothing of our sequence: it is begun anew. */
const LOST_SEQUENCE = [
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
];
const TOO_LARGE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

/**
 * Appends with `acks: all` and numbers, so that an attempt that is repeated is stored once. Appends
 * that come while others are on their way wait and then go together; of each partition one batch is
 * on its way at a time, which keeps the order whatever is repeated.
 */
export class KafkaProducer {
  readonly #options: KafkaProducerOptions;
  readonly #queue: Append[] = [];
  readonly #nextPartition = new Map<string, number>();
  #identity: ProducerId | null = null;
  #sending: Promise<void> | null = null;

  constructor(options: KafkaProducerOptions) {
    this.#options = options;
  }

  append(records: readonly ProducedRecord[]): Promise<AppendResult[]> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, resolve, reject });
      this.#sending ??= this.#sendQueue();
    });
  }

  /** Resolves when nothing is on its way. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  async #sendQueue(): Promise<void> {
    // Whatever else is appended in this turn goes too.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batches = new Map<string, PendingBatch[]>();
      for (const append of this.#queue.splice(0)) await this.#place(append, batches);
      // The first of each partition together, then the second of each.
      for (let wave = 0; ; wave++) {
        const next = [...batches.values()].flatMap((list) => list[wave] ?? []);
        if (next.length === 0) break;
        await this.#deliver(next);
      }
    }
    this.#sending = null;
  }

  /** Gives each record its partition and a place in a batch; all of an append, or none. */
  async #place(append: Append, batches: Map<string, PendingBatch[]>): Promise<void> {
    const { records, resolve, reject } = append;
    let partitions: number[];
    try {
      partitions = await this.#partitionsOf(records);
    } catch (thrown) {
      reject(thrown);
      return;
    }
    if (records.length === 0) resolve([]);
    const results: AppendResult[] = [];
    let left = records.length;
    const nowMs = this.#options.clock.nowMs();
    for (const [i, { topic, key, value, headers = [], timestampMs = nowMs }] of records.entries()) {
      const partition = partitions[i] as number;
      const record = { key, value, headers, timestampMs };
      const batch = this.#batchFor({ topic, partition }, recordSizeMax(record), batches);
      batch.records.push(record);
      batch.failed.push(reject);
      batch.done.push((offset) => {
        results[i] = { topic, partition, offset };
        left--;
        if (left === 0) resolve(results);
      });
    }
  }

  #batchFor(tp: TopicPartition, bytes: number, batches: Map<string, PendingBatch[]>): PendingBatch {
    const name = topicPartitionName(tp);
    const list = batches.get(name) ?? [];
    batches.set(name, list);
    let last = list.at(-1);
    if (last === undefined || last.bytes + bytes > this.#options.batchBytesMax) {
      last = { ...tp, records: [], done: [], failed: [], bytes: 0, numbers: null };
      list.push(last);
    }
    last.bytes += bytes;
    return last;
  }

  /** @throws FreshetError TOPIC_UNKNOWN */
  async #partitionsOf(records: readonly ProducedRecord[]): Promise<number[]> {
    const { cluster } = this.#options;
    const counts = new Map<string, number>();
    for (const { topic, partition } of records) {
      const count =
        counts.get(topic) ?? (await cluster.retrying(() => cluster.partitionsOf(topic)));
      counts.set(topic, count);
      if (partition === undefined || (partition >= 0 && partition < count)) continue;
      const what = `topic "${topic}" has ${count} partitions and no partition ${partition}`;
      throw new FreshetError('TOPIC_UNKNOWN', what, { where: { topic, partition } });
    }
    return records.map(({ topic, partition, key }) => {
      if (partition !== undefined) return partition;
      const count = counts.get(topic) as number;
      if (key !== null) return partitionForKey(key, count);
      const next = (this.#nextPartition.get(topic) ?? 0) % count;
      this.#nextPartition.set(topic, next + 1);
      return next;
    });
  }

  /** Sends one batch of each partition until it is stored or cannot be. */
  async #deliver(batches: readonly PendingBatch[]): Promise<void> {
    let left = batches;
    for (let failures = 0; left.length > 0; failures++) {
      const failed = await this.#attempt(left);
      const again: PendingBatch[] = [];
      for (const [batch, thrown] of failed) {
        const type = errorTypeOf(thrown) ?? '';
        if (TOO_LARGE.includes(type) && batch.records.length > 1) {
          for (const half of halves(batch)) await this.#deliver([half]);
        } else if (LOST_SEQUENCE.includes(type) && failures === 0) {
          // The first attempt was refused, so nothing of it is stored.
          this.#identity = null;
          batch.numbers = null;
          again.push(batch);
        } else if (mayPass(thrown, type, failures)) again.push(batch);
        else this.#fail(batch, thrown);
      }
      if (again.length > 0) {
        this.#options.cluster.forget();
        await sleep(WAITS_MS[failures] as number);
      }
      left = again;
    }
  }

  /** What failed of an attempt, and why. */
  async #attempt(batches: readonly PendingBatch[]): Promise<Map<PendingBatch, unknown>> {
    const failed = new Map<PendingBatch, unknown>();
    const { cluster } = this.#options;
    try {
      const identity = await this.#identify();
      for (const batch of batches) {
        const baseSequence = identity.sequences.get(topicPartitionName(batch)) ?? 0;
        batch.numbers ??= { identity, baseSequence };
      }
      const { byNode, failed: leaderless } = await cluster.byLeader(batches);
      for (const [batch, thrown] of leaderless) failed.set(batch, thrown);
      await Promise.all(
        [...byNode].map(async ([nodeId, led]) => {
          try {
            await this.#sendTo(nodeId, led, failed);
          } catch (thrown) {
            for (const batch of led) failed.set(batch, thrown);
          }
        }),
      );
    } catch (thrown) {
      for (const batch of batches) failed.set(batch, thrown);
    }
    return failed;
  }

  async #sendTo(
    nodeId: number,
    batches: readonly PendingBatch[],
    failed: Map<PendingBatch, unknown>,
  ): Promise<void> {
    const { cluster, compression } = this.#options;
    const partitions: ProducePartition[] = await Promise.all(
      batches.map(async ({ topic, partition, records, numbers }) => {
        const { identity, baseSequence } = numbers as NonNullable<PendingBatch['numbers']>;
        const batch = await encodeRecordBatch(records, { ...identity, baseSequence }, compression);
        return { topic, partition, batch };
      }),
    );
    const broker = await cluster.broker(nodeId);
    const answers = await cluster.send(broker, produceRequest(partitions));
    const byName = new Map(answers.map((answer) => [topicPartitionName(answer), answer]));
    for (const batch of batches) {
      const name = topicPartitionName(batch);
      const { errorCode, baseOffset } = byName.get(name) as ProducedPartition;
      if (errorCode !== 0) {
        failed.set(batch, protocolError(errorCode));
        continue;
      }
      const { identity, baseSequence } = batch.numbers as NonNullable<PendingBatch['numbers']>;
      identity.sequences.set(name, (baseSequence + batch.records.length) % SEQUENCE_END);
      for (const [i, done] of batch.done.entries()) done(baseOffset + i);
    }
  }

  #fail(batch: PendingBatch, thrown: unknown): void {
    // Whether an attempt was stored may not be known: the broker must not count on its numbers.
    this.#identity = null;
    const { topic, partition } = batch;
    const error = toLogError(thrown, { topic, partition });
    for (const fail of batch.failed) fail(error);
  }

  async #identify(): Promise<ProducerId> {
    if (this.#identity === null) {
      const broker = await this.#options.cluster.anyBroker();
      const given = await broker.initProducerId({ transactionTimeout: 60_000 });
      const { producerEpoch } = given;
      const producerId = Number(given.producerId);
      this.#identity = { producerId, producerEpoch, sequences: new Map() };
    }
    return this.#identity;
  }
}

/** A leader may hear of a new topic later than whoever told us of it. */
function mayPass(thrown: unknown, type: string, failures: number): boolean {
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return failures < UNKNOWN_FAILURES_MAX;
  return isTransient(thrown) && failures < WAITS_MS.length;
}

function halves(batch: PendingBatch): PendingBatch[] {
  const middle = Math.ceil(batch.records.length / 2);
  const { topic, partition } = batch;
  return [
    [0, middle],
    [middle, batch.records.length],
  ].map(([from, to]) => ({
    topic,
    partition,
    records: batch.records.slice(from, to),
    done: batch.done.slice(from, to),
    failed: batch.failed.slice(from, to),
    bytes: 0,
    numbers: null,
  }));
}

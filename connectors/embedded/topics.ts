/** Topics and the state of their partitions, kept in memory and written with what changes them. */
import { FreshetError } from '../../src/errors.ts';
import { KvBatch, type KvStore } from '../../src/kv/index.ts';
import {
  requirePossibleTopic,
  type TimestampType,
  type TopicDescription,
  type TopicPartition,
  type TopicSpec,
} from '../../src/log/index.ts';
import {
  batchKey,
  NEXT_TOPIC_KEY,
  partitionKey,
  TOPICS_END,
  TOPICS_START,
  topicKey,
} from './log-keys.ts';

export interface Topic {
  readonly id: number;
  readonly topic: string;
  readonly partitions: number;
  readonly timestampType: TimestampType;
  readonly retentionMs: number | null;
  readonly retentionBytes: number | null;
}

/** Offsets `[start, next)` are there, in stored batches of `bytes` together. */
export interface PartitionState {
  readonly start: number;
  readonly next: number;
  readonly bytes: number;
  readonly lastAppendMs: number;
}

export class Topics {
  readonly #kv: KvStore;
  readonly #topics = new Map<string, Topic>();
  readonly #states = new Map<string, PartitionState>();

  private constructor(kv: KvStore) {
    this.#kv = kv;
  }

  static async load(kv: KvStore): Promise<Topics> {
    const topics = new Topics(kv);
    for await (const page of kv.scan({ gte: TOPICS_START, lt: TOPICS_END })) {
      for (const [, value] of page) {
        const topic = parse<Topic>(value);
        topics.#topics.set(topic.topic, topic);
        await topics.#loadStates(topic);
      }
    }
    return topics;
  }

  names(): string[] {
    return [...this.#topics.keys()].sort();
  }

  /** @throws FreshetError TOPIC_UNKNOWN, also for a partition that the topic does not have */
  require({ topic, partition }: { topic: string; partition?: number }): Topic {
    const found = this.#topics.get(topic);
    if (found === undefined) {
      throw new FreshetError('TOPIC_UNKNOWN', `there is no topic "${topic}"`, { where: { topic } });
    }
    if (partition !== undefined && !(partition >= 0 && partition < found.partitions)) {
      throw new FreshetError(
        'TOPIC_UNKNOWN',
        `topic "${topic}" has ${found.partitions} partitions and no partition ${partition}`,
        { where: { topic, partition } },
      );
    }
    return found;
  }

  state({ id }: Topic, partition: number): PartitionState {
    return this.#states.get(stateName(id, partition)) as PartitionState;
  }

  /** Puts the partition's new state into the batch; `commit` makes it known once that is written. */
  stage(topic: Topic, partition: number, state: PartitionState, into: KvBatch): void {
    into.put(partitionKey(topic.id, partition), json(state));
  }

  commit(topic: Topic, partition: number, state: PartitionState): void {
    this.#states.set(stateName(topic.id, partition), state);
  }

  /** @throws FreshetError TOPIC_MISMATCH naming what differs, INVALID_ARGUMENT */
  async create(spec: TopicSpec): Promise<{ created: boolean }> {
    requirePossibleTopic(spec);
    const wanted = {
      topic: spec.topic,
      partitions: spec.partitions,
      timestampType: spec.timestampType ?? 'LogAppendTime',
      retentionMs: spec.retentionMs ?? null,
      retentionBytes: spec.retentionBytes ?? null,
    } as const;
    const found = this.#topics.get(spec.topic);
    if (found !== undefined) {
      requireSame(found, wanted);
      return { created: false };
    }
    const next = await this.#kv.get(NEXT_TOPIC_KEY);
    const topic: Topic = { id: next === undefined ? 1 : parse<number>(next), ...wanted };
    const batch = new KvBatch();
    batch.put(topicKey(topic.id), json(topic)).put(NEXT_TOPIC_KEY, json(topic.id + 1));
    const empty = { start: 0, next: 0, bytes: 0, lastAppendMs: 0 };
    for (let p = 0; p < topic.partitions; p++) batch.put(partitionKey(topic.id, p), json(empty));
    await this.#kv.write(batch, { sync: true });
    this.#topics.set(topic.topic, topic);
    for (let p = 0; p < topic.partitions; p++) this.commit(topic, p, empty);
    return { created: true };
  }

  async delete(name: string): Promise<void> {
    const topic = this.require({ topic: name });
    const batch = new KvBatch().delete(topicKey(topic.id));
    batch.deleteRange(batchKey(topic.id, 0, 0), batchKey(topic.id + 1, 0, 0));
    batch.deleteRange(partitionKey(topic.id, 0), partitionKey(topic.id + 1, 0));
    await this.#kv.write(batch, { sync: true });
    this.#topics.delete(name);
  }

  describe(name: string): TopicDescription {
    const { id, ...rest } = this.require({ topic: name });
    return { ...rest, topicId: String(id) };
  }

  all(): Topic[] {
    return [...this.#topics.values()];
  }

  partitionsOf(topic: Topic): TopicPartition[] {
    return Array.from({ length: topic.partitions }, (_, partition) => ({
      topic: topic.topic,
      partition,
    }));
  }

  async #loadStates(topic: Topic): Promise<void> {
    const partitions = Array.from({ length: topic.partitions }, (_, p) => p);
    const values = await this.#kv.getMany(partitions.map((p) => partitionKey(topic.id, p)));
    for (const [p, value] of values.entries()) {
      if (value !== undefined) this.commit(topic, p, parse<PartitionState>(value));
    }
  }
}

function requireSame(found: Topic, wanted: Omit<Topic, 'id'>): void {
  const differences = Object.entries(wanted)
    .filter(([name, value]) => found[name as keyof Topic] !== value)
    .map(([name, value]) => `${name} is ${found[name as keyof Topic]}, not ${value}`);
  if (differences.length === 0) return;
  throw new FreshetError(
    'TOPIC_MISMATCH',
    `topic "${found.topic}" is there and differs: ${differences.join('; ')}`,
    { where: { topic: found.topic } },
  );
}

export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function parse<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString()) as T;
}

function stateName(topicId: number, partition: number): string {
  return `${topicId}-${partition}`;
}

import { type Clock, systemClock } from '../../src/core/clock.ts';
import { FreshetError } from '../../src/errors.ts';
import type {
  AppendResult,
  Cursor,
  GroupMembership,
  Log,
  LogCapabilities,
  LogReader,
  ProducedRecord,
  TopicDescription,
  TopicPartition,
  TopicSpec,
  Watermarks,
} from '../../src/log/index.ts';
import type { Compression } from './codecs.ts';
import { GroupOffsets } from './group-offsets.ts';
import { GroupSession } from './group-session.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { KafkaProducer } from './kafka-producer.ts';
import { KafkaReader } from './kafka-reader.ts';
import type { ConnectionOptions } from './kafkajs-internals.ts';
import { TopicAdmin } from './topic-admin.ts';

export interface KafkaLogOptions {
  /** `host:port` of some of the brokers. */
  readonly brokers: readonly string[];
  /** Default `freshet`. */
  readonly clientId?: string | null;
  /** True, or options of Node's `tls.connect`. Default: none. */
  readonly ssl?: ConnectionOptions['ssl'] | null;
  /** As kafkajs has it: plain, scram-sha-256, scram-sha-512, oauthbearer or aws. Default: none. */
  readonly sasl?: ConnectionOptions['sasl'] | Readonly<Record<string, unknown>> | null;
  /** Of what is appended. Default none. */
  readonly compression?: Compression;
  /** Default 30,000: a member that is silent for so long loses its partitions. */
  readonly sessionTimeoutMs?: number;
  /** Default 60,000: how long the group waits for its members to join again. */
  readonly rebalanceTimeoutMs?: number;
  /** Default 3,000: how soon a member notices that the group changes. */
  readonly heartbeatMs?: number;
  /** Default 60,000: how soon a group takes up partitions that were added to a topic. */
  readonly partitionsCheckMs?: number;
  /** Default 250: how long a broker may hold a fetch that finds nothing. */
  readonly fetchWaitMs?: number;
  /** Default 1 MiB: what is fetched of a partition at once, and so ahead of its reader. */
  readonly fetchBytesMax?: number;
  /** Stamps records without a time. Default the system clock. */
  readonly clock?: Clock;
}

/**
 * A Kafka cluster as a log. Readers own their cursors: nothing is committed but by `commitOffsets`,
 * and no offset is reset.
 * @throws FreshetError LOG_UNAVAILABLE when no broker answers, LOG_ACCESS_DENIED
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const log = new KafkaLog(options);
  try {
    await log.connect();
    return log;
  } catch (thrown) {
    await log.close();
    throw thrown;
  }
}

/** With the base offset of 61 bytes and Kafka's bound of 1,048,588 there is room to spare. */
const BATCH_BYTES_MAX = 1_000_000;

class KafkaLog implements Log {
  readonly capabilities: LogCapabilities = {
    groups: true,
    logAppendTime: true,
    compaction: true,
    erase: false,
    shared: true,
  };
  readonly #options: KafkaLogOptions;
  readonly #connection: ConnectionOptions;
  readonly #cluster: KafkaCluster;
  readonly #topics: TopicAdmin;
  readonly #offsets: GroupOffsets;
  readonly #producer: KafkaProducer;
  readonly #readers = new Set<KafkaReader>();
  #closing: Promise<void> | null = null;

  constructor(options: KafkaLogOptions) {
    const { brokers, clientId, ssl, sasl, compression = 'none', clock = systemClock } = options;
    this.#options = options;
    this.#connection = {
      brokers: [...brokers],
      clientId: clientId ?? 'freshet',
      ...(ssl && { ssl }),
      ...(sasl && { sasl: requireMechanism(sasl) }),
    };
    const cluster = new KafkaCluster(this.#connection);
    this.#cluster = cluster;
    this.#topics = new TopicAdmin(cluster);
    this.#offsets = new GroupOffsets(cluster);
    this.#producer = new KafkaProducer({
      cluster,
      clock,
      compression,
      batchBytesMax: BATCH_BYTES_MAX,
    });
  }

  connect(): Promise<void> {
    return this.#cluster.connect();
  }

  async assign(cursors: readonly Cursor[]): Promise<LogReader> {
    this.#requireOpen();
    for (const cursor of cursors)
      await this.#cluster.retrying(() => this.#cluster.leaderOf(cursor));
    const reader = this.#reader();
    reader.assign(cursors);
    return reader;
  }

  async join(membership: GroupMembership): Promise<LogReader> {
    this.#requireOpen();
    const { group, topics } = membership;
    for (const topic of topics) {
      await this.#cluster.retrying(() => this.#cluster.partitionsOf(topic));
    }
    const reader = this.#reader();
    try {
      await reader.join(membership, (hooks) =>
        GroupSession.join({
          ...hooks,
          cluster: new KafkaCluster(this.#connection),
          shared: this.#cluster,
          group,
          topics,
          sessionTimeoutMs: this.#options.sessionTimeoutMs ?? 30_000,
          rebalanceTimeoutMs: this.#options.rebalanceTimeoutMs ?? 60_000,
          heartbeatMs: this.#options.heartbeatMs ?? 3_000,
          partitionsCheckMs: this.#options.partitionsCheckMs ?? 60_000,
        }),
      );
      return reader;
    } catch (thrown) {
      await reader.close();
      throw thrown;
    }
  }

  async append(records: readonly ProducedRecord[]): Promise<AppendResult[]> {
    this.#requireOpen();
    return this.#producer.append(records);
  }

  async createTopic(spec: TopicSpec): Promise<{ created: boolean }> {
    this.#requireOpen();
    return this.#topics.create(spec);
  }

  async deleteTopic(topic: string): Promise<void> {
    this.#requireOpen();
    await this.#topics.delete(topic);
  }

  async listTopics(): Promise<string[]> {
    this.#requireOpen();
    return this.#topics.list();
  }

  async describeTopic(topic: string): Promise<TopicDescription> {
    this.#requireOpen();
    return this.#topics.describe(topic);
  }

  async deleteRecordsBefore(tp: TopicPartition, offset: number): Promise<void> {
    this.#requireOpen();
    await this.#topics.deleteRecordsBefore(tp, offset);
  }

  async eraseRecords(): Promise<void> {
    throw new FreshetError('INVALID_ARGUMENT', 'Kafka removes no single records', {
      next: 'Wait until the retention of the topic has removed them; in a compacted topic a tombstone of their key does.',
    });
  }

  async watermarks(tps: readonly TopicPartition[]): Promise<Watermarks[]> {
    this.#requireOpen();
    return this.#topics.watermarks(tps);
  }

  async offsetForTime(tp: TopicPartition, timestampMs: number): Promise<number | null> {
    this.#requireOpen();
    return this.#topics.offsetForTime(tp, timestampMs);
  }

  async committedOffsets(
    group: string,
    tps: readonly TopicPartition[],
  ): Promise<(number | null)[]> {
    this.#requireOpen();
    return this.#offsets.committed(group, tps);
  }

  async commitOffsets(group: string, cursors: readonly Cursor[]): Promise<void> {
    this.#requireOpen();
    const members = [...this.#readers].filter((reader) => reader.group === group);
    await this.#offsets.commit(
      group,
      cursors,
      members.flatMap(({ session }) => session ?? []),
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    await this.#producer.settled();
    await this.#cluster.close();
  }

  #reader(): KafkaReader {
    const reader = new KafkaReader({
      cluster: new KafkaCluster(this.#connection),
      bounds: async (tp) => {
        const [marks] = await this.#topics.watermarks([tp]);
        return marks as Watermarks;
      },
      maxWaitMs: this.#options.fetchWaitMs ?? 250,
      partitionBytesMax: this.#options.fetchBytesMax ?? 1024 * 1024,
      onClose: (closed) => void this.#readers.delete(closed),
    });
    this.#readers.add(reader);
    return reader;
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new FreshetError('STORE_CLOSED', 'the log is closed');
  }
}

/** What kafkajs would find out only when it connects. @throws FreshetError INVALID_ARGUMENT */
function requireMechanism(sasl: object): NonNullable<ConnectionOptions['sasl']> {
  if (typeof (sasl as { mechanism?: unknown }).mechanism === 'string') {
    return sasl as NonNullable<ConnectionOptions['sasl']>;
  }
  throw new FreshetError('INVALID_ARGUMENT', 'sasl has no mechanism', {
    next: 'Name a mechanism: plain, scram-sha-256, scram-sha-512, oauthbearer or aws.',
  });
}

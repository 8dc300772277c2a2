import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../../src/errors.ts';
import type { TopicPartition } from '../../src/log/index.ts';
import { errorTypeOf, isTransient, toLogError } from './kafka-error.ts';
import {
  type Broker,
  type ConnectionOptions,
  createBrokerPool,
  type ProtocolRequest,
  type TopicMetadata,
} from './kafkajs-internals.ts';

/** Attempts at a request, and the waits between them in milliseconds: 6 seconds in all. */
const WAITS_MS = [50, 100, 200, 400, 800, 1_600, 3_000];

/**
 * Finds the broker that a request must go to, and sends it there. What moved is found again; what
 * does not answer is LOG_UNAVAILABLE after some seconds. A broker answers the requests of one
 * connection in order, so that whoever waits long (a fetch, a join) has a cluster of its own.
 */
export class KafkaCluster {
  readonly #pool: ReturnType<typeof createBrokerPool>;
  /** Leaders by topic, in the order of its partitions. */
  readonly #leaders = new Map<string, readonly number[]>();
  readonly #coordinators = new Map<string, number>();
  readonly #closing = new AbortController();
  #known: Promise<void> | null = null;

  constructor(options: ConnectionOptions) {
    this.#pool = createBrokerPool(options);
  }

  /** @throws FreshetError LOG_UNAVAILABLE, LOG_ACCESS_DENIED */
  async connect(): Promise<void> {
    await this.retrying(() => this.anyBroker());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pool.disconnect();
  }

  /**
   * Attempts until it succeeds or cannot; with our error.
   * @throws FreshetError
   */
  async retrying<T>(attempt: () => Promise<T>, waitsMs: readonly number[] = WAITS_MS): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await attempt();
      } catch (thrown) {
        const waitMs = waitsMs[failures];
        if (waitMs === undefined || !isTransient(thrown) || this.#closing.signal.aborted) {
          throw toLogError(thrown);
        }
        this.forget();
        await sleep(waitMs, undefined, { signal: this.#closing.signal }).catch(() => {});
      }
    }
  }

  async send<T>(broker: Broker, request: ProtocolRequest<T>): Promise<T> {
    try {
      return await broker.connectionPool.send(request);
    } catch (thrown) {
      if ((thrown as Error).name === 'KafkaJSConnectionClosedError') await broker.disconnect();
      throw thrown;
    }
  }

  async anyBroker(): Promise<Broker> {
    await this.#knowBrokers();
    return this.#pool.findConnectedBroker();
  }

  async controller(): Promise<Broker> {
    const { controllerId } = await (await this.anyBroker()).metadata([]);
    return this.#broker(controllerId);
  }

  /** Topics and leaders; of all topics without names. */
  async topics(names: readonly string[] = []): Promise<readonly TopicMetadata[]> {
    const { topicMetadata } = await (await this.anyBroker()).metadata(names);
    return topicMetadata;
  }

  /** @throws FreshetError TOPIC_UNKNOWN, also for a partition that the topic does not have */
  async partitionsOf(topic: string): Promise<number> {
    return (await this.#leadersOf(topic)).length;
  }

  /** Partitions by the node that leads them, and those without a leader with the reason. */
  async byLeader<P extends TopicPartition>(
    tps: readonly P[],
  ): Promise<{ readonly byNode: Map<number, P[]>; readonly failed: Map<P, unknown> }> {
    const byNode = new Map<number, P[]>();
    const failed = new Map<P, unknown>();
    for (const tp of tps) {
      try {
        const nodeId = await this.leaderOf(tp);
        byNode.set(nodeId, [...(byNode.get(nodeId) ?? []), tp]);
      } catch (thrown) {
        failed.set(tp, thrown);
      }
    }
    return { byNode, failed };
  }

  /** @throws FreshetError TOPIC_UNKNOWN, LOG_UNAVAILABLE */
  async leaderOf({ topic, partition }: TopicPartition): Promise<number> {
    const leaders = await this.#leadersOf(topic);
    const leader = leaders[partition];
    if (leader === undefined) {
      this.#leaders.delete(topic);
      throw new FreshetError(
        'TOPIC_UNKNOWN',
        `topic "${topic}" has ${leaders.length} partitions and no partition ${partition}`,
        { where: { topic, partition } },
      );
    }
    if (leader < 0) {
      this.#leaders.delete(topic);
      throw new FreshetError('LOG_UNAVAILABLE', 'the partition has no leader now', {
        where: { topic, partition },
      });
    }
    return leader;
  }

  broker(nodeId: number): Promise<Broker> {
    return this.#broker(nodeId);
  }

  async coordinatorOf(group: string): Promise<Broker> {
    let nodeId = this.#coordinators.get(group);
    if (nodeId === undefined) {
      const broker = await this.anyBroker();
      const found = await broker.findGroupCoordinator({ groupId: group, coordinatorType: 0 });
      nodeId = found.coordinator.nodeId;
      this.#coordinators.set(group, nodeId);
    }
    return this.#broker(nodeId);
  }

  /** Leaders and coordinators may have moved: they are asked for again. */
  forget(): void {
    this.#leaders.clear();
    this.#coordinators.clear();
  }

  async #broker(nodeId: number): Promise<Broker> {
    await this.#knowBrokers();
    try {
      return await this.#pool.findBroker({ nodeId });
    } catch (thrown) {
      // Its address may be another now.
      this.#known = null;
      throw thrown;
    }
  }

  async #leadersOf(topic: string): Promise<readonly number[]> {
    const known = this.#leaders.get(topic);
    if (known !== undefined) return known;
    const [found] = await this.topics([topic]).catch((thrown: unknown) => {
      if (errorTypeOf(thrown) === null || isTransient(thrown)) throw thrown;
      throw topicError(thrown, topic);
    });
    const leaders: number[] = [];
    for (const { partitionId, leader } of found?.partitionMetadata ?? []) {
      leaders[partitionId] = leader;
    }
    this.#leaders.set(topic, leaders);
    return leaders;
  }

  /** One metadata request at a time: it replaces the pool's brokers. */
  #knowBrokers(): Promise<void> {
    this.#known ??= (async () => {
      await this.#pool.connect();
      await this.#pool.refreshMetadata([]);
    })().catch((thrown: unknown) => {
      this.#known = null;
      throw thrown;
    });
    return this.#known;
  }
}

function topicError(thrown: unknown, topic: string): Error {
  const error = toLogError(thrown, { topic });
  if (!(error instanceof FreshetError) || error.code !== 'TOPIC_UNKNOWN') return error;
  return new FreshetError('TOPIC_UNKNOWN', `there is no topic "${topic}"`, {
    where: { topic },
    cause: thrown,
  });
}

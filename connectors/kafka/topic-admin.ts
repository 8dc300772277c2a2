import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../../src/errors.ts';
import {
  requirePossibleTopic,
  type TopicDescription,
  type TopicPartition,
  type TopicSpec,
  topicPartitionName,
  type Watermarks,
} from '../../src/log/index.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { errorTypeOf } from './kafka-error.ts';

const RESOURCE_TOPIC = 2;
const READ_COMMITTED = 1;
const EARLIEST = -2;
const LATEST = -1;
const CREATE_MS_MAX = 15_000;
const VISIBLE_CHECKS = 200;
const VISIBLE_CHECK_MS = 25;

/** Topics of a cluster and the positions of their partitions. */
export class TopicAdmin {
  readonly #cluster: KafkaCluster;

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  /** @throws FreshetError TOPIC_MISMATCH, INVALID_ARGUMENT */
  async create(spec: TopicSpec): Promise<{ created: boolean }> {
    requirePossibleTopic(spec);
    const settings = settingsOf(spec);
    try {
      await this.#cluster.retrying(async () => {
        const controller = await this.#cluster.controller();
        await controller.createTopics({
          topics: [
            {
              topic: spec.topic,
              numPartitions: spec.partitions,
              replicationFactor: spec.replication ?? 1,
              configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
            },
          ],
          timeout: CREATE_MS_MAX,
        });
      });
    } catch (thrown) {
      if (errorTypeOf((thrown as Error).cause) !== 'TOPIC_ALREADY_EXISTS') throw thrown;
      await this.#requireSame(spec, settings);
      return { created: false };
    }
    await this.#untilVisible(spec.topic, true);
    return { created: true };
  }

  async delete(topic: string): Promise<void> {
    await this.#cluster.retrying(() => this.#cluster.partitionsOf(topic));
    await this.#cluster.retrying(async () => {
      await (await this.#cluster.controller()).deleteTopics({ topics: [topic] });
    });
    await this.#untilVisible(topic, false);
  }

  async list(): Promise<string[]> {
    const topics = await this.#cluster.retrying(() => this.#cluster.topics());
    return topics
      .filter(({ isInternal }) => !isInternal)
      .map(({ topic }) => topic)
      .sort();
  }

  async describe(topic: string): Promise<TopicDescription> {
    this.#cluster.forget();
    const partitions = await this.#cluster.retrying(() => this.#cluster.partitionsOf(topic));
    const settings = await this.#settings(topic);
    const bound = (name: string): number | null => {
      const value = Number(settings.get(name) ?? -1);
      return value < 0 ? null : value;
    };
    return {
      topic,
      topicId: null, // no request that kafkajs speaks tells it
      partitions,
      timestampType:
        settings.get('message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
      retentionMs: bound('retention.ms'),
      retentionBytes: bound('retention.bytes'),
    };
  }

  async watermarks(tps: readonly TopicPartition[]): Promise<Watermarks[]> {
    const [starts, ends] = await Promise.all([
      this.#offsets(tps, EARLIEST),
      this.#offsets(tps, LATEST),
    ]);
    return tps.map(({ topic, partition }) => {
      const name = topicPartitionName({ topic, partition });
      const [start, end] = [starts.get(name) as number, ends.get(name) as number];
      return { topic, partition, start, end };
    });
  }

  async offsetForTime(tp: TopicPartition, timestampMs: number): Promise<number | null> {
    // Below zero are the protocol's words for the ends of the log.
    const offsets = await this.#offsets([tp], Math.max(0, Math.ceil(timestampMs)));
    const offset = offsets.get(topicPartitionName(tp)) as number;
    return offset < 0 ? null : offset;
  }

  async deleteRecordsBefore(tp: TopicPartition, offset: number): Promise<void> {
    const [marks] = await this.watermarks([tp]);
    const { start, end } = marks as Watermarks;
    if (offset <= start) return;
    const partitions = [{ partition: tp.partition, offset: String(Math.min(offset, end)) }];
    await this.#cluster.retrying(async () => {
      const leader = await this.#cluster.broker(await this.#cluster.leaderOf(tp));
      await leader.deleteRecords({ topics: [{ topic: tp.topic, partitions }] });
    });
  }

  async #offsets(tps: readonly TopicPartition[], timestamp: number): Promise<Map<string, number>> {
    return this.#cluster.retrying(async () => {
      const { byNode, failed } = await this.#cluster.byLeader(unique(tps));
      for (const thrown of failed.values()) throw thrown;
      const found = await Promise.all(
        [...byNode].map(async ([nodeId, partitions]) => {
          const broker = await this.#cluster.broker(nodeId);
          const topics = groupByTopic(partitions).map(({ topic, partitions: list }) => ({
            topic,
            partitions: list.map((partition) => ({ partition, timestamp })),
          }));
          return (await broker.listOffsets({ isolationLevel: READ_COMMITTED, topics })).responses;
        }),
      );
      return new Map(
        found
          .flat()
          .flatMap(({ topic, partitions }) =>
            partitions.map(
              ({ partition, offset }) =>
                [topicPartitionName({ topic, partition }), Number(offset)] as const,
            ),
          ),
      );
    });
  }

  async #settings(topic: string): Promise<Map<string, string>> {
    return this.#cluster.retrying(async () => {
      const broker = await this.#cluster.anyBroker();
      const resources = [{ type: RESOURCE_TOPIC, name: topic }];
      const [described] = (await broker.describeConfigs({ resources })).resources;
      const entries = described?.configEntries ?? [];
      return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
    });
  }

  async #requireSame(spec: TopicSpec, wanted: Readonly<Record<string, string>>): Promise<void> {
    const found = await this.describe(spec.topic);
    const settings = await this.#settings(spec.topic);
    const asked = {
      partitions: spec.partitions,
      timestampType: spec.timestampType ?? 'LogAppendTime',
      retentionMs: spec.retentionMs ?? null,
      retentionBytes: spec.retentionBytes ?? null,
    };
    const differences = Object.entries(asked)
      .filter(([name, value]) => found[name as keyof TopicDescription] !== value)
      .map(([name, value]) => `${name} is ${found[name as keyof TopicDescription]}, not ${value}`);
    for (const name of Object.keys(spec.settings ?? {})) {
      if (settings.get(name) === wanted[name]) continue;
      differences.push(`${name} is ${settings.get(name)}, not ${wanted[name]}`);
    }
    if (differences.length === 0) return;
    const what = `topic "${spec.topic}" is there and differs: ${differences.join('; ')}`;
    throw new FreshetError('TOPIC_MISMATCH', what, { where: { topic: spec.topic } });
  }

  /** The controller has answered before every broker knows. */
  async #untilVisible(topic: string, isThere: boolean): Promise<void> {
    for (let check = 0; check < VISIBLE_CHECKS; check++) {
      this.#cluster.forget();
      const topics = await this.#cluster.retrying(() => this.#cluster.topics());
      const found = topics.find((each) => each.topic === topic);
      const isServed = found?.partitionMetadata.every(({ leader }) => leader >= 0) ?? false;
      if (isThere ? isServed : found === undefined) return;
      await sleep(VISIBLE_CHECK_MS);
    }
    const what = `the brokers do not ${isThere ? 'show' : 'forget'} topic "${topic}"`;
    throw new FreshetError('LOG_UNAVAILABLE', what, { where: { topic } });
  }
}

/** Partitions by topic, as requests list them. */
export function groupByTopic(
  tps: readonly TopicPartition[],
): { readonly topic: string; readonly partitions: number[] }[] {
  const found = new Map<string, number[]>();
  for (const { topic, partition } of tps) {
    found.set(topic, [...(found.get(topic) ?? []), partition]);
  }
  return [...found].map(([topic, partitions]) => ({ topic, partitions }));
}

function unique(tps: readonly TopicPartition[]): TopicPartition[] {
  return [...new Map(tps.map((tp) => [topicPartitionName(tp), tp])).values()];
}

function settingsOf(spec: TopicSpec): Record<string, string> {
  return {
    'message.timestamp.type': spec.timestampType ?? 'LogAppendTime',
    'retention.ms': String(spec.retentionMs ?? -1),
    'retention.bytes': String(spec.retentionBytes ?? -1),
    ...spec.settings,
  };
}

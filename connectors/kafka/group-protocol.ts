import { type TopicPartition, topicPartitionName } from '../../src/log/index.ts';
import { type Decoder, KafkaDecoder, KafkaEncoder } from './kafkajs-internals.ts';
import { groupByTopic } from './topic-admin.ts';

/** Members with another assignor are refused by the broker: who moves partitions must agree how. */
export const ASSIGNOR = 'freshet-cooperative-sticky';

/** What a member tells the one that assigns: Kafka's `ConsumerProtocolSubscription`, version 1. */
export interface Subscription {
  readonly topics: readonly string[];
  readonly owned: readonly TopicPartition[];
}

export interface GroupMember extends Subscription {
  readonly memberId: string;
}

const SUBSCRIPTION_VERSION = 1;
const ASSIGNMENT_VERSION = 0;

export function encodeSubscription({ topics, owned }: Subscription): Buffer {
  return new KafkaEncoder()
    .writeInt16(SUBSCRIPTION_VERSION)
    .writeArray([...topics])
    .writeBytes(Buffer.alloc(0))
    .writeArray(encodePartitions(owned)).buffer;
}

export function decodeSubscription(bytes: Buffer): Subscription {
  const decoder = new KafkaDecoder(bytes);
  const version = decoder.readInt16();
  const topics = decoder.readArray((d) => d.readString());
  decoder.readBytes();
  return { topics, owned: version >= SUBSCRIPTION_VERSION ? decodePartitions(decoder) : [] };
}

/** Kafka's `ConsumerProtocolAssignment`. */
export function encodeAssignment(tps: readonly TopicPartition[]): Buffer {
  return new KafkaEncoder()
    .writeInt16(ASSIGNMENT_VERSION)
    .writeArray(encodePartitions(tps))
    .writeBytes(Buffer.alloc(0)).buffer;
}

export function decodeAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return [];
  const decoder = new KafkaDecoder(bytes);
  decoder.readInt16();
  return decodePartitions(decoder);
}

/**
 * Partitions by member. Each keeps what it has up to its fair share, and the rest goes to those with
 * least. A partition that is to move goes to nobody yet: its owner sees that it is not to keep it,
 * gives it up and joins again, and then it is free. So a partition never has two owners, and those
 * that do not move are read on meanwhile.
 */
export function assignPartitions(
  members: readonly GroupMember[],
  partitions: readonly TopicPartition[],
): Map<string, TopicPartition[]> {
  const ordered = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const owners = ownersOf(ordered);
  const planned = plan(ordered, partitions, owners);
  return new Map(
    [...planned].map(([memberId, tps]) => [
      memberId,
      tps.filter((tp) => (owners.get(topicPartitionName(tp)) ?? memberId) === memberId),
    ]),
  );
}

function plan(
  members: readonly GroupMember[],
  partitions: readonly TopicPartition[],
  owners: ReadonlyMap<string, string>,
): Map<string, TopicPartition[]> {
  const share = Math.ceil(partitions.length / Math.max(1, members.length));
  const planned = new Map(members.map(({ memberId }) => [memberId, [] as TopicPartition[]]));
  const subscribed = new Map(members.map(({ memberId, topics }) => [memberId, new Set(topics)]));
  const rest: TopicPartition[] = [];
  for (const tp of partitions) {
    const owner = owners.get(topicPartitionName(tp));
    const kept = owner === undefined ? undefined : planned.get(owner);
    const isKept = kept !== undefined && kept.length < share;
    if (isKept && subscribed.get(owner as string)?.has(tp.topic)) kept.push(tp);
    else rest.push(tp);
  }
  for (const tp of rest) {
    const takers = [...planned].filter(([memberId]) => subscribed.get(memberId)?.has(tp.topic));
    const least = takers.reduce(
      (a, b) => (b[1].length < a[1].length ? b : a),
      takers[0] ?? ['', []],
    );
    least[1].push(tp);
  }
  return planned;
}

function ownersOf(members: readonly GroupMember[]): Map<string, string> {
  return new Map(
    members.flatMap(({ memberId, owned }) =>
      owned.map((tp) => [topicPartitionName(tp), memberId] as const),
    ),
  );
}

function encodePartitions(tps: readonly TopicPartition[]) {
  return groupByTopic(tps).map(({ topic, partitions }) =>
    new KafkaEncoder().writeString(topic).writeArray(partitions),
  );
}

function decodePartitions(decoder: Decoder): TopicPartition[] {
  const topics = decoder.readArray((d) => {
    const topic = d.readString();
    return d.readArray((each) => ({ topic, partition: each.readInt32() }));
  });
  return topics.flat();
}

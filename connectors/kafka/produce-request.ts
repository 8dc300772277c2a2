import { KafkaDecoder, KafkaEncoder, type ProtocolRequest } from './kafkajs-internals.ts';

export interface ProducePartition {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Of Kafka's protocol; 0 is none. */
  readonly errorCode: number;
  readonly baseOffset: number;
}

const API_KEY = 0;
/** The first that takes zstd. */
const API_VERSION = 7;
const ACKS_ALL = -1;
const TIMEOUT_MS = 30_000;

/** One record batch a partition, answered when all in-sync replicas have them. */
export function produceRequest(
  partitions: readonly ProducePartition[],
): ProtocolRequest<ProducedPartition[]> {
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: API_VERSION,
      apiName: 'Produce',
      encode: async () => encode(partitions),
    },
    response: { decode: async (payload) => decode(payload), parse: async (decoded) => decoded },
    requestTimeout: TIMEOUT_MS,
  };
}

function encode(partitions: readonly ProducePartition[]): unknown {
  const byTopic = new Map<string, ProducePartition[]>();
  for (const partition of partitions) {
    byTopic.set(partition.topic, [...(byTopic.get(partition.topic) ?? []), partition]);
  }
  const topics = [...byTopic].map(([topic, list]) =>
    new KafkaEncoder()
      .writeString(topic)
      .writeArray(
        list.map(({ partition, batch }) =>
          new KafkaEncoder(batch.length + 8).writeInt32(partition).writeBytes(batch),
        ),
      ),
  );
  return new KafkaEncoder()
    .writeString(null) // transactional id
    .writeInt16(ACKS_ALL)
    .writeInt32(TIMEOUT_MS)
    .writeArray(topics);
}

function decode(payload: Buffer): ProducedPartition[] {
  const decoder = new KafkaDecoder(payload);
  const topics = decoder.readArray((d) => {
    const topic = d.readString();
    return d.readArray((each) => {
      const partition = each.readInt32();
      const errorCode = each.readInt16();
      const baseOffset = Number(each.readInt64());
      each.readInt64(); // append time
      each.readInt64(); // log start
      return { topic, partition, errorCode, baseOffset };
    });
  });
  return topics.flat();
}

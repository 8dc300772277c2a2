import {
  type Decoder,
  KafkaDecoder,
  KafkaEncoder,
  type ProtocolRequest,
} from './kafkajs-internals.ts';
import { type AbortedTransaction, decodeRecords, type FetchedRecords } from './record-decoder.ts';

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface FetchOptions {
  readonly partitions: readonly FetchPartition[];
  readonly maxWaitMs: number;
  /** Of the answer; the first batch comes whole, however large. */
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Of Kafka's protocol; 0 is none. */
  readonly errorCode: number;
  /** Up to here records are readable: behind it lie open transactions. */
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  /** Decoded when it is awaited. */
  records(offset: number): Promise<FetchedRecords>;
}

const API_KEY = 1;
/** The newest version without topic ids in kafkajs's table of what it speaks. */
const API_VERSION = 11;
const READ_COMMITTED = 1;

/**
 * A fetch outside of fetch sessions. kafkajs's own decodes with a promise and an object for each
 * record; here the bytes stay together until they are wanted.
 */
export function fetchRequest(options: FetchOptions): ProtocolRequest<FetchedPartition[]> {
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: API_VERSION,
      apiName: 'Fetch',
      encode: async () => encode(options),
    },
    response: { decode: async (payload) => decode(payload), parse: async (decoded) => decoded },
    // Over what the broker may wait, as long as any answer.
    requestTimeout: options.maxWaitMs + 30_000,
  };
}

function encode(options: FetchOptions): unknown {
  const byTopic = new Map<string, FetchPartition[]>();
  for (const partition of options.partitions) {
    byTopic.set(partition.topic, [...(byTopic.get(partition.topic) ?? []), partition]);
  }
  const topics = [...byTopic].map(([topic, partitions]) =>
    new KafkaEncoder().writeString(topic).writeArray(
      partitions.map(({ partition, offset }) =>
        new KafkaEncoder()
          .writeInt32(partition)
          .writeInt32(-1) // leader epoch: not known
          .writeInt64(offset)
          .writeInt64(-1) // log start: for followers
          .writeInt32(options.partitionMaxBytes),
      ),
    ),
  );
  return new KafkaEncoder()
    .writeInt32(-1) // replica: a consumer
    .writeInt32(options.maxWaitMs)
    .writeInt32(1) // bytes: any
    .writeInt32(options.maxBytes)
    .writeInt8(READ_COMMITTED)
    .writeInt32(0) // session: none
    .writeInt32(-1)
    .writeArray(topics)
    .writeArray([]) // forgotten topics
    .writeString(''); // rack
}

function decode(payload: Buffer): FetchedPartition[] {
  const decoder = new KafkaDecoder(payload);
  decoder.readInt32(); // throttle time
  decoder.readInt16(); // error of the session
  decoder.readInt32(); // session
  const topics = decoder.readArray((d) => {
    const topic = d.readString();
    return d.readArray((each) => decodePartition(each, topic));
  });
  return topics.flat();
}

function decodePartition(decoder: Decoder, topic: string): FetchedPartition {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  decoder.readInt64(); // high watermark
  const lastStableOffset = Number(decoder.readInt64());
  const logStartOffset = Number(decoder.readInt64());
  const aborted = decoder.readArray(
    (d): AbortedTransaction => ({
      producerId: Number(d.readInt64()),
      firstOffset: Number(d.readInt64()),
    }),
  );
  decoder.readInt32(); // preferred replica
  const size = decoder.readInt32();
  const start = decoder.offset;
  if (size > 0) decoder.offset = start + size;
  const bytes = decoder.buffer.subarray(start, decoder.offset);
  const records = (offset: number) => decodeRecords(bytes, offset, aborted);
  return { topic, partition, errorCode, lastStableOffset, logStartOffset, records };
}

/**
 * The parts of kafkajs that its public interface hides: connections, the requests of a broker, and
 * the pool of brokers. Its version is pinned and it has had no release since 2023, so these parts
 * stand still; `test/kafka/kafkajs-internals.test.ts` notices if they do not. Why not its consumer
 * and producer: docs/adr/0004-kafka-client.md.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { KafkaConfig } from 'kafkajs';

const require = createRequire(import.meta.url);

export interface TopicMetadata {
  readonly topic: string;
  readonly isInternal: boolean;
  readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
}

export interface OffsetsByTopic<P> {
  readonly topic: string;
  readonly partitions: readonly P[];
}

/** Protocol request and how its answer is read. */
export interface ProtocolRequest<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<unknown>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<T>;
    readonly parse: (decoded: T) => Promise<T>;
  };
  readonly requestTimeout?: number;
}

export interface GroupMemberMetadata {
  readonly memberId: string;
  readonly memberMetadata: Buffer;
}

/** One node; each call is one request, and throws kafkajs's errors. */
export interface Broker {
  readonly nodeId: number | null;
  readonly connectionPool: { send<T>(request: ProtocolRequest<T>): Promise<T> };
  disconnect(): Promise<void>;
  metadata(topics: readonly string[]): Promise<{
    readonly controllerId: number;
    readonly topicMetadata: readonly TopicMetadata[];
  }>;
  createTopics(request: {
    readonly topics: readonly {
      readonly topic: string;
      readonly numPartitions: number;
      readonly replicationFactor: number;
      readonly configEntries: readonly { readonly name: string; readonly value: string }[];
    }[];
    readonly timeout: number;
  }): Promise<unknown>;
  deleteTopics(request: { readonly topics: readonly string[] }): Promise<unknown>;
  describeConfigs(request: {
    readonly resources: readonly { readonly type: number; readonly name: string }[];
  }): Promise<{
    readonly resources: readonly {
      readonly configEntries: readonly {
        readonly configName: string;
        readonly configValue: string;
      }[];
    }[];
  }>;
  deleteRecords(request: {
    readonly topics: readonly OffsetsByTopic<{ partition: number; offset: string }>[];
  }): Promise<unknown>;
  listOffsets(request: {
    readonly isolationLevel: number;
    readonly topics: readonly OffsetsByTopic<{ partition: number; timestamp: number }>[];
  }): Promise<{
    readonly responses: readonly OffsetsByTopic<{
      readonly partition: number;
      readonly offset: string;
    }>[];
  }>;
  findGroupCoordinator(request: {
    readonly groupId: string;
    readonly coordinatorType: number;
  }): Promise<{ readonly coordinator: { readonly nodeId: number } }>;
  joinGroup(request: {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly memberId: string;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  }): Promise<{
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    readonly members: readonly GroupMemberMetadata[];
  }>;
  syncGroup(request: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly {
      readonly memberId: string;
      readonly memberAssignment: Buffer;
    }[];
  }): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  offsetCommit(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
    readonly topics: readonly OffsetsByTopic<{ partition: number; offset: string }>[];
  }): Promise<unknown>;
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly OffsetsByTopic<{ partition: number }>[];
  }): Promise<{
    readonly responses: readonly OffsetsByTopic<{
      readonly partition: number;
      readonly offset: string;
    }>[];
  }>;
  initProducerId(request: { readonly transactionTimeout: number }): Promise<{
    readonly producerId: bigint | number | string;
    readonly producerEpoch: number;
  }>;
}

interface BrokerPool {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  findBroker(by: { readonly nodeId: number }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker>;
  refreshMetadata(topics: readonly string[]): Promise<void>;
  removeBroker(address: { readonly host: string; readonly port: number }): void;
}

export interface Encoder {
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number | bigint): Encoder;
  writeString(value: string | null): Encoder;
  writeBytes(value: Uint8Array | null): Encoder;
  writeArray(values: readonly (Encoder | number | string)[]): Encoder;
  readonly buffer: Buffer;
}

export interface Decoder {
  readonly buffer: Buffer;
  offset: number;
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readString(): string;
  readBytes(): Buffer | null;
  readArray<T>(each: (decoder: Decoder) => T): T[];
}

type SocketFactory = (options: object) => Socket;
type Constructor<T> = new (...given: never[]) => T;

const Cluster = require('kafkajs/src/cluster') as new (
  options: Readonly<Record<string, unknown>>,
) => { readonly brokerPool: BrokerPool };
const { createLogger, LEVELS } = require('kafkajs/src/loggers') as {
  createLogger(options: { readonly level: number; readonly logCreator: () => () => void }): unknown;
  readonly LEVELS: { readonly NOTHING: number };
};
const createSocket = (require('kafkajs/src/network/socketFactory') as () => SocketFactory)();
const RequestQueue = require('kafkajs/src/network/requestQueue') as Constructor<PendingRequests>;

export const KafkaEncoder = require('kafkajs/src/protocol/encoder') as new (
  sizeBytes?: number,
) => Encoder;
export const KafkaDecoder = require('kafkajs/src/protocol/decoder') as new (
  buffer: Buffer,
) => Decoder;
const protocolErrors = require('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error;
};

/** kafkajs's error for a code of the protocol. */
export function protocolError(code: number): Error {
  return protocolErrors.createErrorFromCode(code);
}

/** How a cluster is reached; kafkajs's own options. */
export type ConnectionOptions = Pick<
  KafkaConfig,
  | 'authenticationTimeout'
  | 'clientId'
  | 'connectionTimeout'
  | 'reauthenticationThreshold'
  | 'requestTimeout'
  | 'sasl'
  | 'socketFactory'
  | 'ssl'
> & { readonly brokers: string[] };

/** Connections to the brokers of a cluster. Nothing is sent before the first call. */
export function createBrokerPool(options: ConnectionOptions): BrokerPool {
  quietTimers();
  const cluster = new Cluster({
    connectionTimeout: 3_000,
    requestTimeout: 30_000,
    socketFactory: quietSocket,
    ...options,
    enforceRequestTimeout: true,
    // A topic of which nobody knows is an error, never made in passing.
    allowAutoTopicCreation: false,
    metadataMaxAge: 300_000,
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 200 },
    // What goes wrong is thrown; telling it is the caller's.
    logger: createLogger({ level: LEVELS.NOTHING, logCreator: () => () => {} }),
  });
  return cluster.brokerPool;
}

/**
 * kafkajs lets go of a socket each time that its broker fails, though the socket is long gone, and
 * Node then keeps a listener for a connection that will never be.
 */
function quietSocket(options: object): Socket {
  const socket = createSocket(options);
  const unref = socket.unref.bind(socket);
  socket.unref = () => (socket.destroyed ? socket : unref());
  return socket;
}

interface PendingRequests {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let areTimersQuiet = false;

/**
 * kafkajs arms a timer of a negative time after every answer, for ever, though nothing is pending:
 * a thousand wake-ups a second, and a warning on newer Nodes.
 */
function quietTimers(): void {
  if (areTimersQuiet) return;
  areTimersQuiet = true;
  const { prototype } = RequestQueue;
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: PendingRequests): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}

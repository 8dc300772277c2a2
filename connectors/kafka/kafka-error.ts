import { type ErrorCode, type ErrorWhere, FreshetError } from '../../src/errors.ts';

/** What kafkajs throws, as far as it is looked at. */
interface KafkaFailure extends Error {
  readonly type?: string;
  readonly retriable?: boolean;
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'TOPIC_UNKNOWN',
  INVALID_TOPIC_EXCEPTION: 'TOPIC_UNKNOWN',
  INVALID_PARTITIONS: 'INVALID_ARGUMENT',
  INVALID_REPLICATION_FACTOR: 'INVALID_ARGUMENT',
  INVALID_CONFIG: 'INVALID_ARGUMENT',
  INVALID_GROUP_ID: 'INVALID_ARGUMENT',
  INVALID_SESSION_TIMEOUT: 'INVALID_ARGUMENT',
  INCONSISTENT_GROUP_PROTOCOL: 'INVALID_ARGUMENT',
  POLICY_VIOLATION: 'INVALID_ARGUMENT',
  INVALID_TIMESTAMP: 'INVALID_ARGUMENT',
  MESSAGE_TOO_LARGE: 'RECORD_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'RECORD_TOO_LARGE',
  CORRUPT_MESSAGE: 'LOG_CORRUPT',
  TOPIC_AUTHORIZATION_FAILED: 'LOG_ACCESS_DENIED',
  GROUP_AUTHORIZATION_FAILED: 'LOG_ACCESS_DENIED',
  CLUSTER_AUTHORIZATION_FAILED: 'LOG_ACCESS_DENIED',
  SASL_AUTHENTICATION_FAILED: 'LOG_ACCESS_DENIED',
  UNSUPPORTED_SASL_MECHANISM: 'LOG_ACCESS_DENIED',
  ILLEGAL_GENERATION: 'LOG_FENCED',
  UNKNOWN_MEMBER_ID: 'LOG_FENCED',
  FENCED_INSTANCE_ID: 'LOG_FENCED',
};

/**
 * A failure of Kafka or its client with our code: LOG_UNAVAILABLE where we have no other. What did
 * not come from there, such as a fault of our own, stays what it is.
 */
export function toLogError(thrown: unknown, where: ErrorWhere = {}): Error {
  const failure = rootOf(thrown);
  if (failure instanceof FreshetError || !isOfKafka(failure)) return failure;
  const code = codeOf(failure);
  const what = failure.type === undefined ? failure.message : `${failure.type}: ${failure.message}`;
  return new FreshetError(code, `Kafka: ${what}`, { cause: thrown, where });
}

/** The protocol's name of the error, such as `NOT_LEADER_FOR_PARTITION`; null for others. */
export function errorTypeOf(thrown: unknown): string | null {
  return rootOf(thrown).type ?? null;
}

/** Whether another attempt may succeed: connections, leaders and coordinators that move. */
export function isTransient(thrown: unknown): boolean {
  if (thrown instanceof FreshetError) return thrown.retriable;
  const failure = rootOf(thrown);
  if (!isOfKafka(failure) || codeOf(failure) !== 'LOG_UNAVAILABLE') return false;
  return failure.retriable !== false || failure.name === 'KafkaJSLockTimeout';
}

/** kafkajs has one plain error: of a request to a broker whose connection has just gone. */
function isOfKafka({ name, message }: Error): boolean {
  return name.startsWith('KafkaJS') || message === 'Broker not connected';
}

function codeOf(failure: KafkaFailure): ErrorCode {
  if (failure.name === 'KafkaJSSASLAuthenticationError') return 'LOG_ACCESS_DENIED';
  return CODES[failure.type ?? ''] ?? 'LOG_UNAVAILABLE';
}

/** kafkajs wraps what failed when it has tried often enough. */
function rootOf(thrown: unknown): KafkaFailure {
  let failure = thrown instanceof Error ? thrown : new Error(String(thrown));
  while (
    failure.name === 'KafkaJSNumberOfRetriesExceeded' &&
    failure.cause instanceof Error &&
    failure.cause !== failure
  ) {
    failure = failure.cause;
  }
  return partOf(failure) ?? (failure as KafkaFailure);
}

/** An answer that failed for some topics or partitions carries their errors. */
function partOf(failure: Error): KafkaFailure | null {
  const { errors, partitions } = failure as { errors?: unknown; partitions?: unknown };
  if (Array.isArray(errors)) return (errors as KafkaFailure[])[0] ?? null;
  if (!Array.isArray(partitions)) return null;
  return (
    (partitions as { error?: KafkaFailure | null }[]).find(({ error }) => error)?.error ?? null
  );
}

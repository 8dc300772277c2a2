import { z } from 'zod';
import {
  BATCH_BYTES_MAX,
  BATCH_RECORDS_MAX,
  COMPACTED_FILE_BYTES_TARGET,
  COMPACTED_RANGE_BYTES_MAX,
  COMPACTION_EVERY_MS,
  COMPACTION_FAN_IN,
  READ_CACHE_BYTES_MAX,
  RETIRED_GRACE_MS,
  ROW_BYTES_MAX,
  SEGMENT_AGE_MS_MAX,
  SEGMENT_BYTES_MAX,
  SEGMENT_ROWS_MAX,
  STALE_MS_MAX,
} from '../core/limits.ts';

/** Memory of joins and compaction: half a gigabyte costs them nothing measurable, they spill. */
const OFFLINE_MEMORY_BYTES_MAX = 512 * 1024 * 1024;
const OFFLINE_THREADS = 2;

/** A batch of the largest kind in sensible rows. */
const SERVER_BODY_BYTES_MAX = 8 * 1024 * 1024;
const SERVER_BATCH_ROWS_MAX = 10_000;
const SERVER_REQUEST_MS_MAX = 30_000;

const path = z.string().min(1);
const count = z.int().min(1);
const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d|w)$/, 'must be a duration such as 12h, 30d or 52w');
const passedThrough = z.record(z.string(), z.unknown());

/** A topic, a group or a client, as Kafka names them. */
const kafkaName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,249}$/, 'must be letters, digits, dots, underscores and dashes');

const embeddedLog = z.strictObject({
  type: z.literal('embedded'),
  path: path.default('data/log'),
});

const kafkaLog = z.strictObject({
  type: z.literal('kafka'),
  brokers: z.array(z.string().min(1)).min(1),
  clientId: kafkaName.optional(),
  ssl: z.union([z.boolean(), passedThrough]).default(false),
  sasl: passedThrough.nullable().default(null),
  replication: count.default(1),
  sessionTimeoutMs: z.int().min(1_000).default(30_000),
  schemaRegistry: z
    .strictObject({
      url: z.url(),
      username: z.string().nullable().default(null),
      password: z.string().nullable().default(null),
    })
    .nullable()
    .default(null),
});

const compaction = z.strictObject({
  auto: z.boolean().default(true),
  everyMs: count.default(COMPACTION_EVERY_MS),
  fanIn: z.int().min(2).default(COMPACTION_FAN_IN),
  fileBytesTarget: count.default(COMPACTED_FILE_BYTES_TARGET),
  rangeBytesMax: count.default(COMPACTED_RANGE_BYTES_MAX),
  graceMs: z.int().min(0).default(RETIRED_GRACE_MS),
});

/** Of a view; at least one of the two. */
const retention = z
  .strictObject({ age: duration.optional(), bytes: count.optional() })
  .refine(({ age, bytes }) => age !== undefined || bytes !== undefined, 'must have age or bytes');

const apiKey = z.strictObject({
  name: z.string().min(1).max(64),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a key: 64 digits 0-9a-f'),
  scopes: z.array(z.enum(['read', 'write'])).min(1),
  requestsPerMinuteMax: count.nullable().default(null),
});

const server = z.strictObject({
  host: z.string().min(1).default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(6566),
  anonymous: z.enum(['auto', 'none', 'read', 'write']).default('auto'),
  keys: z.array(apiKey).default([]),
  requestsPerMinuteMax: count.nullable().default(null),
  bodyBytesMax: count.default(SERVER_BODY_BYTES_MAX),
  batchRowsMax: count.default(SERVER_BATCH_ROWS_MAX),
  requestMsMax: count.default(SERVER_REQUEST_MS_MAX),
  corsOrigins: z.array(z.url()).default([]),
  tls: z.strictObject({ certPath: path, keyPath: path }).nullable().default(null),
});

export const PROJECT_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** Every key of `freshet.yaml`, with its default. Only `project` has none. */
export const CONFIG_SCHEMA = z.strictObject({
  project: z.string().regex(PROJECT_NAME, 'must be a letter, then letters, digits, _ and -'),
  registry: z.strictObject({ path: path.default('data/registry.json') }).prefault({}),
  log: z.discriminatedUnion('type', [embeddedLog, kafkaLog]).prefault({ type: 'embedded' }),
  onlineStore: z
    .strictObject({
      path: path.default('data/online'),
      binding: z.enum(['rocksdb-native', 'rocksdb', 'memory']).default('rocksdb-native'),
      staleMsMax: z.int().min(0).default(STALE_MS_MAX),
      cacheBytesMax: z.int().min(0).default(READ_CACHE_BYTES_MAX),
    })
    .prefault({}),
  offlineStore: z
    .strictObject({
      path: path.default('data/offline'),
      segmentRowsMax: count.default(SEGMENT_ROWS_MAX),
      segmentBytesMax: count.default(SEGMENT_BYTES_MAX),
      segmentAgeMsMax: count.default(SEGMENT_AGE_MS_MAX),
      memoryBytesMax: z
        .int()
        .min(64 * 1024 * 1024)
        .default(OFFLINE_MEMORY_BYTES_MAX),
      threads: count.default(OFFLINE_THREADS),
      compaction: compaction.prefault({}),
      retention: z.record(z.string(), retention).default({}),
    })
    .prefault({}),
  engine: z
    .strictObject({
      group: kafkaName.optional(),
      batchRecordsMax: count.default(BATCH_RECORDS_MAX),
      batchBytesMax: count.default(BATCH_BYTES_MAX),
      rowBytesMax: count.default(ROW_BYTES_MAX),
      deadLetterTopic: kafkaName.optional(),
    })
    .prefault({}),
  server: server.prefault({}),
});

export type ConfigValues = z.output<typeof CONFIG_SCHEMA>;

/** The keys allowed at a path of the configuration, for the input that is there. */
export function knownKeys(keys: readonly PropertyKey[], input: unknown): string[] {
  let schema: z.ZodType = CONFIG_SCHEMA;
  let value = input;
  for (const key of keys) {
    const object = objectSchema(schema, value);
    const member = object?.shape[String(key)];
    if (member === undefined) return [];
    schema = member as z.ZodType;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return Object.keys(objectSchema(schema, value)?.shape ?? {});
}

/** The object a schema describes, under its defaults; of a union, the member the input chose. */
function objectSchema(schema: z.ZodType, input: unknown): z.ZodObject | null {
  if (schema instanceof z.ZodObject) return schema;
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const type = (input as { type?: unknown } | null)?.type;
    return type === 'kafka' ? kafkaLog : embeddedLog;
  }
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable
  ) {
    return objectSchema(schema.unwrap() as z.ZodType, input);
  }
  return null;
}

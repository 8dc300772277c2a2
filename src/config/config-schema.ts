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
  type: z.literal('embedded').describe('in RocksDB, for one process at a time'),
  path: path.default('data/log').describe('its folder'),
});

const kafkaLog = z.strictObject({
  type: z.literal('kafka').describe('for many'),
  brokers: z.array(z.string().min(1)).min(1).describe('`host:port` of some brokers'),
  clientId: kafkaName.optional().describe('default: the project'),
  ssl: z
    .union([z.boolean(), passedThrough])
    .default(false)
    .describe('TLS; an object goes to kafkajs as it is'),
  sasl: passedThrough.nullable().default(null).describe('goes to kafkajs as it is'),
  replication: count.default(1).describe('copies of topics that `apply` creates'),
  sessionTimeoutMs: z
    .int()
    .min(1_000)
    .default(30_000)
    .describe('a worker that is silent for longer loses its partitions'),
  schemaRegistry: z
    .strictObject({
      url: z.url().describe("an address with the API of Confluent's registry"),
      username: z.string().nullable().default(null).describe('sent as basic authentication'),
      password: z.string().nullable().default(null).describe('sent as basic authentication'),
    })
    .nullable()
    .default(null)
    .describe('without one, schemas are kept in a file beside the registry'),
});

const compaction = z.strictObject({
  auto: z.boolean().default(true).describe('by a running engine'),
  everyMs: count.default(COMPACTION_EVERY_MS).describe('how often it looks for work'),
  fanIn: z.int().min(2).default(COMPACTION_FAN_IN).describe('ranges of a size that become one'),
  fileBytesTarget: count.default(COMPACTED_FILE_BYTES_TARGET).describe('of a compacted file'),
  rangeBytesMax: count
    .default(COMPACTED_RANGE_BYTES_MAX)
    .describe('a larger range is not merged again'),
  graceMs: z.int().min(0).default(RETIRED_GRACE_MS).describe('replaced files stay for so long'),
});

/** Of a view; at least one of the two. */
const retention = z
  .strictObject({
    age: duration.optional().describe('behind the newest row of the source'),
    bytes: count.optional().describe('of files; the oldest go first'),
  })
  .refine(({ age, bytes }) => age !== undefined || bytes !== undefined, 'must have age or bytes');

const apiKey = z.strictObject({
  name: z.string().min(1).max(64).describe('as logs and metrics name it'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a key: 64 digits 0-9a-f')
    .describe('SHA-256 of the key, 64 digits 0-9a-f'),
  scopes: z
    .array(z.enum(['read', 'write']))
    .min(1)
    .describe('what it may do'),
  requestsPerMinuteMax: count.nullable().default(null).describe('default: as of the server'),
});

const server = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('where to listen; another needs keys'),
  // Beside Feast's 6566, which browsers and `fetch` refuse to connect to.
  port: z.int().min(0).max(65_535).default(6567).describe('0: any free one'),
  anonymous: z
    .enum(['auto', 'none', 'read', 'write'])
    .default('auto')
    .describe('without a key; `auto`: reads, while there are no keys and the host is loopback'),
  keys: z.array(apiKey).default([]).describe('who may ask'),
  requestsPerMinuteMax: count.nullable().default(null).describe('of each caller; null: no bound'),
  bodyBytesMax: count.default(SERVER_BODY_BYTES_MAX).describe('of a request'),
  batchRowsMax: count.default(SERVER_BATCH_ROWS_MAX).describe('entity rows of a request'),
  requestMsMax: count.default(SERVER_REQUEST_MS_MAX).describe('a longer request is given up'),
  corsOrigins: z.array(z.url()).default([]).describe('pages of other sites that may ask'),
  tls: z
    .strictObject({
      certPath: path.describe('PEM file'),
      keyPath: path.describe('PEM file'),
    })
    .nullable()
    .default(null)
    .describe('HTTPS'),
});

const tracing = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .optional()
    .describe(
      'traces of OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`; default: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or OTEL_EXPORTER_OTLP_ENDPOINT and `/v1/traces`; without any, nothing is traced',
    ),
  serviceName: z
    .string()
    .min(1)
    .optional()
    .describe('default: OTEL_SERVICE_NAME, otherwise the project'),
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('share of the traces that begin here, from 0 to 1; what a caller decided is kept'),
  headers: z
    .record(
      z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header'),
      z.string(),
    )
    .default({})
    .describe('sent with every delivery, such as a key: let a variable stand for it'),
});

export const PROJECT_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** Every key of `freshet.yaml`, with its default. Only `project` has none. */
export const CONFIG_SCHEMA = z.strictObject({
  project: z
    .string()
    .regex(PROJECT_NAME, 'must be a letter, then letters, digits, _ and -')
    .describe('consumer groups and the dead-letter topic are named after it'),
  registry: z
    .strictObject({ path: path.default('data/registry.json').describe('what is applied') })
    .prefault({}),
  log: z.discriminatedUnion('type', [embeddedLog, kafkaLog]).prefault({ type: 'embedded' }),
  onlineStore: z
    .strictObject({
      path: path.default('data/online').describe('its folder'),
      binding: z
        .enum(['rocksdb-native', 'rocksdb', 'memory'])
        .default('rocksdb-native')
        .describe('`rocksdb` has to be installed; `memory` keeps nothing'),
      staleMsMax: z
        .int()
        .min(0)
        .default(STALE_MS_MAX)
        .describe('age of what another process reads beside the engine'),
      cacheBytesMax: z
        .int()
        .min(0)
        .default(READ_CACHE_BYTES_MAX)
        .describe('what online reads keep in memory'),
    })
    .prefault({}),
  offlineStore: z
    .strictObject({
      path: path.default('data/offline').describe('its folder'),
      segmentRowsMax: count.default(SEGMENT_ROWS_MAX).describe('a segment is written at so many'),
      segmentBytesMax: count.default(SEGMENT_BYTES_MAX).describe('or at so many'),
      segmentAgeMsMax: count.default(SEGMENT_AGE_MS_MAX).describe('or when it is so old'),
      memoryBytesMax: z
        .int()
        .min(64 * 1024 * 1024)
        .default(OFFLINE_MEMORY_BYTES_MAX)
        .describe('of joins and compaction, before they go on on disk'),
      threads: count.default(OFFLINE_THREADS).describe('of joins and compaction'),
      compaction: compaction.prefault({}),
      retention: z
        .record(z.string(), retention)
        .default({})
        .describe('history that a view needs, by its name; without an entry all of it'),
    })
    .prefault({}),
  engine: z
    .strictObject({
      group: kafkaName.optional().describe('default: `<project>-materializer`'),
      batchRecordsMax: count.default(BATCH_RECORDS_MAX).describe('of a commit of a partition'),
      batchBytesMax: count.default(BATCH_BYTES_MAX).describe('of a commit of a partition'),
      rowBytesMax: count.default(ROW_BYTES_MAX).describe('a larger one is rejected'),
      deadLetterTopic: kafkaName.optional().describe('default: `<project>.dead-letter`'),
    })
    .prefault({}),
  server: server.prefault({}),
  tracing: tracing.prefault({}),
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

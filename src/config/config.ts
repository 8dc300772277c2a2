import { readFile } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import type { z } from 'zod';
import { FreshetError } from '../errors.ts';
import type { CONFIG_SCHEMA } from './config-schema.ts';
import { parseConfig } from './parse-config.ts';
import { resolveTracing } from './resolve-tracing.ts';

/** File name of the configuration in a feature repository. */
const CONFIG_FILE = 'freshet.yaml';

/** What `freshet.yaml` says, with every default filled in; paths are absolute. */
export interface Config {
  /** Name of the feature repository; the default of group, client and dead-letter names. */
  readonly project: string;
  /** The folder of `freshet.yaml`. */
  readonly repoDir: string;
  readonly registry: { readonly path: string };
  readonly log: EmbeddedLogConfig | KafkaLogConfig;
  readonly onlineStore: OnlineStoreConfig;
  readonly offlineStore: OfflineStoreConfig;
  readonly engine: EngineConfig;
  readonly server: ServerConfig;
  /** Null: nothing is traced. */
  readonly tracing: TracingConfig | null;
}

/** A log in a folder of this machine, for one process. */
export interface EmbeddedLogConfig {
  readonly type: 'embedded';
  readonly path: string;
}

export interface KafkaLogConfig {
  readonly type: 'kafka';
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** TLS options of Node, or `true` for the defaults. */
  readonly ssl: boolean | Readonly<Record<string, unknown>>;
  /** Mechanism and credentials; null: none. */
  readonly sasl: Readonly<Record<string, unknown>> | null;
  /** Replicas of the topics that `apply` creates. */
  readonly replication: number;
  /** A worker that is silent for so long loses its partitions to others. */
  readonly sessionTimeoutMs: number;
  /** Null when no source is in Avro. */
  readonly schemaRegistry: SchemaRegistryConfig | null;
}

export interface SchemaRegistryConfig {
  readonly url: string;
  readonly username: string | null;
  readonly password: string | null;
}

export interface OnlineStoreConfig {
  readonly path: string;
  readonly binding: KvBinding;
  /** How old the state may be that a process reads while another one writes it. */
  readonly staleMsMax: number;
  /** What online reads keep in memory of what they have read; 0: nothing. */
  readonly cacheBytesMax: number;
}

export type KvBinding = 'rocksdb-native' | 'rocksdb' | 'memory';

export interface OfflineStoreConfig {
  /** Folder of the segments. */
  readonly path: string;
  readonly segmentRowsMax: number;
  readonly segmentBytesMax: number;
  /** Age at which a segment is cut, however small. */
  readonly segmentAgeMsMax: number;
  /** What joins and compaction may hold before they spill to disk. */
  readonly memoryBytesMax: number;
  readonly threads: number;
  readonly compaction: CompactionConfig;
  /**
   * By view, how much history it needs. Segments of a source are kept for as long as one of its views
   * needs them; a view that is not named needs all.
   */
  readonly retention: Readonly<Record<string, RetentionConfig>>;
}

/** How small segments become few and large ones. */
export interface CompactionConfig {
  /** Whether a running engine compacts by itself. */
  readonly auto: boolean;
  readonly everyMs: number;
  /** So many ranges of one size class become one. */
  readonly fanIn: number;
  readonly fileBytesTarget: number;
  readonly rangeBytesMax: number;
  /** How long files that were replaced stay, for readers that began before. */
  readonly graceMs: number;
}

export interface RetentionConfig {
  /** Behind the newest event time of the source. */
  readonly age?: string | undefined;
  readonly bytes?: number | undefined;
}

export interface EngineConfig {
  /** Consumer group of the materializer. */
  readonly group: string;
  /** Records a partition in one micro-batch. */
  readonly batchRecordsMax: number;
  /** Value bytes a partition in one micro-batch. */
  readonly batchBytesMax: number;
  /** A larger row is a dead letter. */
  readonly rowBytesMax: number;
  readonly deadLetterTopic: string;
}

/** The feature server of `freshet serve`. */
export interface ServerConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /**
   * What is answered without a key. `auto`: reads while there are no keys and the host is loopback,
   * otherwise nothing. `write` is for loopback alone.
   */
  readonly anonymous: 'auto' | 'none' | 'read' | 'write';
  readonly keys: readonly ApiKeyConfig[];
  /** Of each key without a limit of its own, and of each address without a key; null: no limit. */
  readonly requestsPerMinuteMax: number | null;
  readonly bodyBytesMax: number;
  /** Entity rows, or rows to write, of one request. */
  readonly batchRowsMax: number;
  /** Requests that take longer are answered REQUEST_TIMEOUT; loads and verification may. */
  readonly requestMsMax: number;
  /** Origins whose pages may ask; empty: none but the server's own. */
  readonly corsOrigins: readonly string[];
  /** Files in PEM. */
  readonly tls: { readonly certPath: string; readonly keyPath: string } | null;
}

export interface ApiKeyConfig {
  /** For logs and limits. */
  readonly name: string;
  /** Of the key, in hexadecimal: the key itself is never stored. */
  readonly sha256: string;
  readonly scopes: readonly ('read' | 'write')[];
  readonly requestsPerMinuteMax: number | null;
}

/** Where spans of what the process does go. */
export interface TracingConfig {
  /** OTLP over HTTP, with the path. */
  readonly endpoint: string;
  readonly serviceName: string;
  /** Share of the traces that begin here; a caller's decision is kept. */
  readonly sampleRatio: number;
  /** With every delivery. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Variables that `${NAME}` in the configuration stands for. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Values that win over those of `freshet.yaml`, key by key. */
export type ConfigOverrides = DeepPartial<z.input<typeof CONFIG_SCHEMA>>;

type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
    : T;

/**
 * Reads `freshet.yaml` of a feature repository. With overrides the file may be missing; the project
 * then has the name of the folder.
 * @throws FreshetError CONFIG_NOT_FOUND, CONFIG_INVALID, CONFIG_KEY_UNKNOWN
 */
export async function loadConfig(
  repoDir: string,
  environment: Environment = process.env,
  overrides?: ConfigOverrides,
): Promise<Config> {
  const folder = resolve(repoDir);
  const file = join(folder, CONFIG_FILE);
  const text = await readText(file).catch((thrown) => {
    if (overrides !== undefined) return null;
    throw thrown;
  });
  const named = { project: projectNameOf(folder), ...overrides };
  const values = parseConfig(text ?? '', {
    file: CONFIG_FILE,
    environment,
    overrides: text === null ? named : overrides,
  });
  const { project, registry, log, onlineStore, offlineStore, engine, server, tracing } = values;
  const absolute = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  return deepFreeze<Config>({
    project,
    repoDir: folder,
    registry: { path: absolute(registry.path) },
    log:
      log.type === 'embedded'
        ? { type: 'embedded', path: absolute(log.path) }
        : { ...log, clientId: log.clientId ?? project },
    onlineStore: { ...onlineStore, path: absolute(onlineStore.path) },
    offlineStore: { ...offlineStore, path: absolute(offlineStore.path) },
    engine: {
      ...engine,
      group: engine.group ?? `${project}-materializer`,
      deadLetterTopic: engine.deadLetterTopic ?? `${project}.dead-letter`,
    },
    server: {
      ...server,
      tls: server.tls && {
        certPath: absolute(server.tls.certPath),
        keyPath: absolute(server.tls.keyPath),
      },
    },
    tracing: resolveTracing(tracing, project, environment),
  });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new FreshetError('CONFIG_NOT_FOUND', `${file} cannot be read`, { cause: error });
  }
}

/** The folder's name as far as it makes a project name. */
function projectNameOf(folder: string): string {
  const name = basename(folder)
    .replace(/[^A-Za-z0-9_-]/g, '_')
    .replace(/^[^A-Za-z]+/, '')
    .slice(0, 64);
  return name === '' ? 'freshet' : name;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}

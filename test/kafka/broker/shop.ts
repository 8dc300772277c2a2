/** A feature repository on the broker and the registry of this run: orders of users, by Avro. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import {
  openEmbeddedSchemaRegistry,
  serveSchemaRegistry,
} from '../../../connectors/schema-registry/index.ts';
import type { ConfigOverrides } from '../../../src/config/index.ts';
import { FreshetError } from '../../../src/errors.ts';
import type { DeadLetter } from '../../../src/feature-store/index.ts';
import {
  type Definition,
  type FeatureStore,
  openFeatureStore,
  type TopicSource,
} from '../../../src/index.ts';
import { makeDefinitions } from './shop-definitions.ts';
import { brokers, prefix } from './support.ts';

export interface Shop {
  readonly directory: string;
  /** Also the prefix of its topics. */
  readonly project: string;
  readonly topic: string;
  /** What the repository defines at a version of it. */
  definitions(version?: 1 | 2): readonly Definition[];
  source(version?: 1 | 2): TopicSource;
  open(options?: ShopOptions): Promise<FeatureStore>;
}

interface ShopOptions {
  readonly definitions?: readonly Definition[];
  readonly config?: ConfigOverrides;
  /** Default: the registry of the run. */
  readonly registryUrl?: string;
  /** Default: the shop's own. */
  readonly directory?: string;
}

const DAY_MS = 86_400_000;
/** Event times lie before the start of the run, so that no row is ahead of its arrival. */
const BEGIN_MS = Date.parse('2026-01-01T00:00:00Z') - DAY_MS;

let shops = 0;

/** Shops, and what they have open until `close`. */
export class Shops {
  readonly #closers: (() => Promise<unknown>)[] = [];
  #registryUrl: Promise<string> | null = null;

  async add(): Promise<Shop> {
    const directory = await mkdtemp(join(tmpdir(), 'freshet-kafka-shop-'));
    this.onClose(() => rm(directory, { recursive: true, force: true }));
    const project = `${prefix}shop-${++shops}`;
    const topic = `${project}-orders`;
    const definitions = (version: 1 | 2 = 1) => makeDefinitions(topic, version);
    return {
      directory,
      project,
      topic,
      definitions: (version) => definitions(version).all,
      source: (version) => definitions(version).orders as unknown as TopicSource,
      open: async (options = {}) => {
        const url = options.registryUrl ?? (await this.registryUrl());
        const store = await openFeatureStore({
          directory: options.directory ?? directory,
          definitions: options.definitions ?? definitions().all,
          config: {
            project,
            log: { type: 'kafka', brokers: [...brokers], schemaRegistry: { url } },
            ...options.config,
          },
        });
        this.onClose(() => store.close());
        return store;
      },
    };
  }

  onClose(closer: () => Promise<unknown>): void {
    this.#closers.push(closer);
  }

  /** The registry of the run; ours, over HTTP, where there is no other. */
  registryUrl(): Promise<string> {
    const { address } = inject('schemaRegistry');
    if (address !== null) return Promise.resolve(address);
    this.#registryUrl ??= this.#serveOurs();
    return this.#registryUrl;
  }

  async close(): Promise<void> {
    while (this.#closers.length > 0) await this.#closers.pop()?.();
    this.#registryUrl = null;
  }

  async #serveOurs(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'freshet-registry-'));
    const kept = await openEmbeddedSchemaRegistry({ path: join(folder, 'schemas.json') });
    const server = await serveSchemaRegistry({ registry: kept });
    this.onClose(async () => {
      await server.close();
      await kept.close();
      await rm(folder, { recursive: true });
    });
    return server.url;
  }
}

/** Order `i` of a user: a second after the one before. */
export function order(i: number, user = `user-${i % 7}`): Record<string, unknown> {
  return { user, at: new Date(BEGIN_MS + i * 1_000), amount: i };
}

export function orders(count: number, from = 0): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, i) => order(from + i));
}

/** Sends rows through a source, which may be of another version than the store's. */
export async function produce(
  store: FeatureStore,
  rows: readonly Record<string, unknown>[],
  source: TopicSource = store.topicSource('orders'),
): Promise<void> {
  await using producer = await store.producer(source);
  await producer.send(rows as never, { strict: true });
}

/** Runs the engine until it has read everything, and stops it. */
export async function runEngine(store: FeatureStore): Promise<void> {
  const engine = await store.startEngine();
  await engine.caughtUp();
  await store.stopEngine();
}

/** Values of features of users by name, each a list in the order of the users. */
export async function online(
  store: FeatureStore,
  features: readonly string[],
  users: readonly string[],
): Promise<Record<string, unknown[]>> {
  const entityRows = users.map((user) => ({ user }));
  const answer = await store.getOnlineFeatures({ features, entityRows } as never);
  const { values } = answer.toColumns() as unknown as { values: Record<string, unknown[]> };
  return Object.fromEntries(
    Object.entries(values)
      .filter(([name]) => name !== 'user')
      .map(([name, column]) => [name, column.map((v) => (typeof v === 'bigint' ? Number(v) : v))]),
  );
}

export async function letters(store: FeatureStore): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for await (const letter of store.deadLetters.list()) found.push(letter);
  return found;
}

/** How many records a topic has in all its partitions. */
export async function recordsIn(store: FeatureStore, topic: string): Promise<number> {
  const log = await store.resources.log();
  const { partitions } = await log.describeTopic(topic);
  const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const marks = await log.watermarks(tps);
  return marks.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** What an attempt fails with. @throws Error when it does not fail */
export async function failure(attempt: () => Promise<unknown>): Promise<FreshetError> {
  try {
    await attempt();
  } catch (thrown) {
    if (thrown instanceof FreshetError) return thrown;
    throw thrown;
  }
  throw new Error('it did not fail');
}

export interface Gateway {
  readonly url: string;
  /** Refuses connections, as a registry that is down does. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** A way to the registry that can be cut. */
export async function openGateway(registryUrl: string): Promise<Gateway> {
  const target = new URL(registryUrl);
  const server: Server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const options = { method, path: url, headers: { ...headers, host: target.host } };
    const forward = request(target.origin, options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forward.once('error', () => outgoing.destroy());
    incoming.pipe(forward);
  });
  let port = 0;
  const up = async (): Promise<void> => {
    if (server.listening) return;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  };
  await up();
  const down = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { url: `http://127.0.0.1:${port}${target.pathname}`, down, up, close: down };
}

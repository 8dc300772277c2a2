/** A server over the shop of the feature store's tests, and a client of it. */
import { createHash } from 'node:crypto';
import { afterEach } from 'vitest';
import type { ServerConfig } from '../../src/config/index.ts';
import type { FeatureStore } from '../../src/index.ts';
import {
  createFeatureServer,
  type FeatureServer,
  type FeatureServerOptions,
} from '../../src/server/index.ts';
import { produce, runEngine, type Shop, useShop, writeHistory } from '../feature-store/support.ts';

export const YEAR = { start_ts: '2025-01-01T00:00:00', end_ts: '2025-12-31T00:00:00' };

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
  readonly text: string;
  readonly headers: Headers;
}

export interface Client {
  readonly server: FeatureServer;
  readonly store: FeatureStore;
  readonly shop: Shop;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** A text is sent as it is, without a content type, as Feast's client does. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export type Start = (
  config?: Partial<ServerConfig>,
  options?: Partial<FeatureServerOptions>,
) => Promise<Client>;

/** Starts servers over an applied shop; closed after each test, before their stores. */
export function useServer(): Start {
  const newShop = useShop();
  const servers: FeatureServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  return async (config = {}, options = {}) => {
    const shop = newShop();
    const store = options.store ?? (await shop.open());
    await store.apply();
    const server = await createFeatureServer({
      store,
      clock: shop.clock,
      ...options,
      config: { port: 0, anonymous: 'write', ...config },
    });
    servers.push(server);
    return { server, store, shop, ...clientOf(server.url) };
  };
}

/** Rows of both kinds: `live` has a 7 and b null; `past` a 1. */
export async function fill({ shop, store }: Pick<Client, 'shop' | 'store'>): Promise<void> {
  await writeHistory(shop, [['a', '2025-01-02T00:00:00Z', 1]]);
  await store.materialize({ startTime: '2025-01-01', endTime: '2025-12-31' });
  await produce(store, [
    ['a', '2025-01-03T00:00:00.000001Z', 7],
    ['b', '2025-01-04T00:00:00Z', null],
  ]);
  await runEngine(store);
}

export function sha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function clientOf(url: string): Pick<Client, 'get' | 'post'> {
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    const { status, headers } = response;
    return { status, headers, text, json: isJson ? JSON.parse(text) : undefined };
  };
  return {
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, body, headers = {}) => {
      const isText = typeof body === 'string';
      const type = { 'content-type': 'application/json' };
      return ask(path, {
        method: 'POST',
        body: isText ? Buffer.from(body) : JSON.stringify(body),
        headers: { ...(!isText && type), ...headers },
      });
    },
  };
}

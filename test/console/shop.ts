/** A shop with something on every page of the console: streams, windows, history, dead letters. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerConfig } from '../../src/config/index.ts';
import { loadConsole } from '../../src/console/index.ts';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import {
  entity,
  type FeatureStore,
  featureService,
  featureView,
  onDemandFeatureView,
  openFeatureStore,
  parquetSource,
  sliding,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';
import { createFeatureServer } from '../../src/server/index.ts';

const customer = entity({
  name: 'customer',
  joinKeys: { customer_id: 'int64' },
  description: 'Someone who orders',
});
const orders = topicSource({
  name: 'orders',
  topic: 'shop.orders',
  schema: {
    ordered_at: 'timestamp',
    customer_id: 'int64',
    amount: 'float64',
    items: 'int32',
    country: 'string',
  },
  timestampField: 'ordered_at',
  keyFields: ['customer_id'],
  format: 'json',
  partitions: 3,
  description: 'What the checkout sends',
  owner: 'checkout@shop.example',
});
const visits = topicSource({
  name: 'visits',
  topic: 'shop.visits',
  schema: { at: 'timestamp', customer_id: 'int64', page: 'string' },
  timestampField: 'at',
  keyFields: ['customer_id'],
  format: 'json',
  partitions: 2,
});
const accounts = parquetSource({
  name: 'accounts',
  path: 'history/*.parquet',
  schema: { changed_at: 'timestamp', customer_id: 'int64', tier: 'string' },
  timestampField: 'changed_at',
});
const lastOrder = featureView({
  name: 'last_order',
  entities: [customer],
  source: orders,
  schema: { amount: 'float64', items: 'int32', country: 'string' },
  ttl: '30d',
  description: 'The last order of a customer',
  owner: 'features@shop.example',
  tags: { team: 'pricing' },
});
const orderTotals = windowedFeatureView({
  name: 'order_totals',
  entities: [customer],
  source: orders,
  where: (row) => row.amount !== null && row.amount > 0,
  grace: '5m',
  aggregations: [
    { function: 'count', window: sliding('1h'), name: 'orders_1h' },
    { column: 'amount', function: 'sum', window: sliding('1h'), name: 'amount_1h' },
    { column: 'amount', function: 'mean', window: sliding('1d'), name: 'amount_mean_1d' },
    { column: 'items', function: 'max', window: tumbling('1h'), name: 'items_max' },
  ],
  description: 'How much a customer has ordered lately',
  tags: { team: 'pricing' },
});
const recentVisits = windowedFeatureView({
  name: 'recent_visits',
  entities: [customer],
  source: visits,
  aggregations: [{ function: 'count', window: sliding('15m'), name: 'visits_15m' }],
  description: 'How often a customer has looked in',
});
const account = featureView({
  name: 'account',
  entities: [customer],
  source: accounts,
  schema: { tier: 'string' },
  description: 'What a customer has signed up for',
});
const basket = onDemandFeatureView({
  name: 'basket',
  sources: [lastOrder],
  schema: { amount_per_item: 'float64' },
  transform: ({ amount, items }) => ({
    amount_per_item: amount === null || items === null ? null : amount / items,
  }),
  description: 'What the last order says about the next',
});
const nextOrder = featureService({
  name: 'next_order',
  features: [lastOrder.select('amount', 'country'), orderTotals, basket],
  description: 'The features of a model that predicts the next order',
});
const churn = featureService({
  name: 'churn',
  features: [recentVisits, account],
  description: 'Who is about to leave',
});
const DEFINITIONS = [lastOrder, orderTotals, recentVisits, account, basket, nextOrder, churn];

const COUNTRIES = ['DE', 'FR', 'IT', 'PL', 'SE'];
const MINUTE_MS = 60_000;
const HOURS = 30;

export interface ConsoleShop extends AsyncDisposable {
  readonly url: string;
  readonly store: FeatureStore;
}

/** Opens it, filled with rows up to `nowMs`, with the engine running, and serves it. */
export async function openConsoleShop(
  nowMs: number,
  config: Partial<ServerConfig> = {},
): Promise<ConsoleShop> {
  const directory = await mkdtemp(join(tmpdir(), 'freshet-console-'));
  await writeAccounts(directory, nowMs);
  const store = await openFeatureStore({
    directory,
    definitions: DEFINITIONS,
    config: { project: 'shop' },
  });
  await store.apply();
  await store.materialize({
    startTime: new Date(nowMs - 40 * 24 * 60 * MINUTE_MS),
    endTime: new Date(nowMs - 10 * 24 * 60 * MINUTE_MS),
  });
  await pushRows(store, nowMs);
  await appendBad(store, nowMs);
  const first = await store.startEngine();
  await first.caughtUp();
  await store.stopEngine(); // publishes what is buffered: both sides can be compared
  const engine = await store.startEngine();
  const server = await createFeatureServer({
    store,
    engine,
    console: await loadConsole(),
    config: { port: 0, anonymous: 'write', ...config },
  });
  return {
    url: server.url,
    store,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function pushRows(store: FeatureStore, nowMs: number): Promise<void> {
  const rows = Array.from({ length: HOURS * 60 }, (_, minute) => ({
    ordered_at: new Date(nowMs - (HOURS * 60 - minute) * MINUTE_MS),
    customer_id: (minute * 7) % 40,
    amount: 5 + ((minute * 37) % 190) + (minute % 4) / 4,
    items: 1 + (minute % 6),
    country: COUNTRIES[(minute * 7) % COUNTRIES.length],
  }));
  const late = { ...rows[0], ordered_at: new Date(nowMs - 26 * 60 * MINUTE_MS) };
  await store.push('orders', [...rows, late, late]);
  await store.push(
    'visits',
    rows.slice(-400).map(({ ordered_at, customer_id, items }) => ({
      at: ordered_at,
      customer_id,
      page: items > 3 ? '/cart' : '/shoes',
    })),
  );
}

/** Records that no row comes of. */
async function appendBad(store: FeatureStore, nowMs: number): Promise<void> {
  const log = await store.resources.log();
  const values = ['{"customer_id":"seven"}', 'not even JSON', '{"ordered_at":"2999-01-01"}'];
  await log.append(
    values.map((value, i) => ({
      topic: orders.topic,
      partition: i,
      key: Buffer.from(`customer-${i}`),
      value: Buffer.from(value),
      timestampMs: nowMs,
      headers: [],
    })),
  );
}

async function writeAccounts(directory: string, nowMs: number): Promise<void> {
  await mkdir(join(directory, 'history'));
  await using duckdb = await openDuckdb({ threads: 1 });
  await duckdb.run(
    `COPY (SELECT make_timestamp(${(nowMs - 20 * 24 * 60 * MINUTE_MS) * 1_000} + i * 1000000)::TIMESTAMPTZ ` +
      `AS changed_at, i::BIGINT AS customer_id, CASE WHEN i % 3 = 0 THEN 'gold' ELSE 'free' END AS tier ` +
      `FROM range(40) t(i)) TO ${quoteLiteral(join(directory, 'history/a.parquet'))} (FORMAT parquet)`,
  );
}

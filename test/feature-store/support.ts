/** What the tests of the feature store share: a shop with a stream, a history, and views of both. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';
import type { ConfigOverrides } from '../../src/config/index.ts';
import { ManualClock } from '../../src/core/clock.ts';
import {
  type Definition,
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  topicSource,
} from '../../src/definition/index.ts';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import type { FreshetError } from '../../src/errors.ts';
import { type FeatureStore, openFeatureStore } from '../../src/index.ts';

export const NOW = '2025-01-15T12:00:00Z';
export const SCHEMA = { user: 'string', at: 'timestamp', amount: 'int64' } as const;

export const user = entity({ name: 'user', joinKeys: { user: 'string' } });
export const orders = topicSource({
  name: 'orders',
  topic: 'orders',
  schema: SCHEMA,
  timestampField: 'at',
  keyFields: ['user'],
  format: 'json',
  partitions: 2,
});
export const history = parquetSource({
  name: 'history',
  path: 'history/*.parquet',
  schema: SCHEMA,
  timestampField: 'at',
});
export const live = featureView({
  name: 'live',
  entities: [user],
  source: orders,
  schema: { amount: 'int64' },
});
export const past = featureView({
  name: 'past',
  entities: [user],
  source: history,
  schema: { amount: 'int64' },
});
export const doubled = onDemandFeatureView({
  name: 'doubled',
  sources: [past],
  schema: { double: 'int64' },
  transform: (row) => ({ double: (row.amount ?? 0n) * 2n }),
});
const model = featureService({ name: 'model', features: [live, doubled] });
export const SHOP = [live, past, doubled, model] as unknown as readonly Definition[];

export interface Shop {
  readonly directory: string;
  readonly clock: ManualClock;
  open(options?: ShopOptions): Promise<FeatureStore>;
}

export interface ShopOptions {
  readonly definitions?: readonly object[];
  readonly config?: ConfigOverrides;
}

/** A repository for each test; what was opened in it is closed and removed after the test. */
export function useShop(): () => Shop {
  const stores: FeatureStore[] = [];
  const directories: string[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
  });
  return () => {
    const directory = mkdtempSync(join(tmpdir(), 'freshet-store-'));
    directories.push(directory);
    const clock = new ManualClock(Date.parse(NOW));
    const open = async ({ definitions = SHOP, config = {} }: ShopOptions = {}) => {
      const store = await openFeatureStore({
        directory,
        definitions: definitions as readonly Definition[],
        clock,
        config: { project: 'shop', ...config },
      });
      stores.push(store);
      return store;
    };
    return { directory, clock, open };
  };
}

export type ShopRow = readonly [user: string | null, at: string, amount: number | null];

/** Writes a file of the history. */
export async function writeHistory(
  { directory }: Pick<Shop, 'directory'>,
  rows: readonly ShopRow[],
  name = 'a',
): Promise<void> {
  const path = join(directory, 'history', `${name}.parquet`);
  mkdirSync(dirname(path), { recursive: true });
  const tuples = rows.map(
    ([key, at, amount]) =>
      `(${key === null ? 'NULL' : quoteLiteral(key)}, ${quoteLiteral(at)}, ${amount ?? 'NULL'})`,
  );
  await using duckdb = await openDuckdb({ threads: 1 });
  await duckdb.run(
    `COPY (SELECT CAST("user" AS VARCHAR) AS "user", CAST("at" AS TIMESTAMPTZ) AS "at", ` +
      `CAST(amount AS BIGINT) AS amount FROM (VALUES ${tuples.join(', ')}) rows("user", "at", amount)) ` +
      `TO ${quoteLiteral(path)} (FORMAT parquet)`,
  );
}

/** Sends rows to the topic of the shop. */
export async function produce(store: FeatureStore, rows: readonly ShopRow[]): Promise<void> {
  await store.push(
    'orders',
    rows.map(([key, at, amount]) => ({ user: key, at, amount })),
  );
}

/** Runs the engine until it has read everything, and stops it. */
export async function runEngine(store: FeatureStore): Promise<void> {
  const engine = await store.startEngine();
  await engine.caughtUp();
  await store.stopEngine();
}

/** Amounts of users by a view; undefined where there is no row. */
export async function amounts(
  store: FeatureStore,
  users: readonly string[],
  view: 'live' | 'past' = 'past',
): Promise<unknown[]> {
  const answer = await store.getOnlineFeatures({
    features: [`${view}:amount`],
    entityRows: users.map((each) => ({ user: each })),
  });
  const { values, statuses } = answer.toColumns();
  return (values['amount'] as unknown[]).map((amount, i) =>
    statuses['amount']?.[i] === 'NOT_FOUND' ? undefined : amount && Number(amount),
  );
}

/** What an attempt fails with. @throws Error when it does not fail */
export async function failure(attempt: () => unknown): Promise<FreshetError> {
  try {
    await attempt();
  } catch (thrown) {
    return thrown as FreshetError;
  }
  throw new Error('it did not fail');
}

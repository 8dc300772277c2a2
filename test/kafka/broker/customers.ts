/** A table of customers in features, as `connectors/connect/README.md` shows it. */
import {
  type Definition,
  entity,
  type FeatureStore,
  featureView,
  lifetime,
  onDemandFeatureView,
  topicSource,
  windowedFeatureView,
} from '../../../src/index.ts';

export function customerDefinitions(topic: string): readonly Definition[] {
  const changes = topicSource({
    name: 'customer_changes',
    topic,
    format: 'json',
    schema: {
      customer_id: 'int64',
      plan: 'string',
      balance: 'float64',
      signed_up: 'timestamp',
      seen: 'timestamp',
      deleted: 'bool',
      changed_at: 'timestamp',
    },
    timestampField: 'changed_at',
    keyFields: ['customer_id'],
    partitions: 3,
  });
  const customer = entity({ name: 'customer', joinKeys: { customer_id: 'int64' } });
  const features = {
    plan: 'string',
    balance: 'float64',
    signed_up: 'timestamp',
    seen: 'timestamp',
  } as const;
  const newest = featureView({
    name: 'customer',
    entities: [customer],
    source: changes,
    schema: { ...features, deleted: 'bool' },
  });
  const present = onDemandFeatureView({
    name: 'present_customer',
    sources: [newest],
    schema: features,
    transform: ({ deleted, plan, balance, signed_up, seen }) =>
      deleted === false
        ? { plan, balance, signed_up, seen }
        : { plan: null, balance: null, signed_up: null, seen: null },
  });
  const writes = windowedFeatureView({
    name: 'customer_writes',
    entities: [customer],
    source: changes,
    where: (row) => row.deleted === false,
    aggregations: [{ function: 'count', window: lifetime(), name: 'writes' }],
  });
  return [newest, present, writes] as unknown as readonly Definition[];
}

const FEATURES = ['plan', 'balance', 'signed_up', 'seen']
  .map((name) => `present_customer:${name}`)
  .concat('customer_writes:writes');

/** Features by the id of the customer, whole numbers as numbers. */
type Customers = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Features of customers by their id, as the online store has them. */
export async function onlineCustomers(
  store: FeatureStore,
  ids: readonly number[],
): Promise<Customers> {
  const entityRows = ids.map((customer_id) => ({ customer_id }));
  const answer = await store.getOnlineFeatures({ features: FEATURES, entityRows } as never);
  return byId(answer.rows);
}

/** Features of customers by their id, joined for each of some times. */
export async function joinedCustomers(
  store: FeatureStore,
  ids: readonly number[],
  times: readonly string[],
): Promise<Customers[]> {
  const entityRows = times.flatMap((event_timestamp) =>
    ids.map((customer_id) => ({ customer_id, event_timestamp })),
  );
  await using joined = await store.getHistoricalFeatures({
    features: FEATURES,
    entityRows,
  } as never);
  const rows = await joined.toArray();
  return times.map((_, i) => byId(rows.slice(i * ids.length, (i + 1) * ids.length)));
}

function byId(rows: readonly object[]): Customers {
  return Object.fromEntries(
    rows.map((row) => {
      const { customer_id, event_timestamp: _, ...features } = row as Record<string, unknown>;
      const values = Object.entries(features).map(([name, value]) => [
        name,
        typeof value === 'bigint' ? Number(value) : value,
      ]);
      return [String(customer_id), Object.fromEntries(values)];
    }),
  );
}

/** What the shop of the Kafka tests defines; also read by programs that run without vitest. */
import {
  type Definition,
  entity,
  featureView,
  lifetime,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../../src/index.ts';

const SCHEMA = { user: 'string', at: 'timestamp', amount: 'int64' } as const;
const SCHEMA_2 = { ...SCHEMA, currency: 'string' } as const;

/** Version 2 knows the currency of an order. */
export function makeDefinitions(topic: string, version: 1 | 2 = 1) {
  const orders = makeOrders(topic, version === 1 ? SCHEMA : SCHEMA_2);
  const user = entity({ name: 'user', joinKeys: { user: 'string' } });
  const view = { entities: [user], source: orders };
  const lastOrder = featureView({ ...view, name: 'last_order', schema: { amount: 'int64' } });
  const spending = windowedFeatureView({
    ...view,
    name: 'spending',
    aggregations: [
      { function: 'count', window: lifetime(), name: 'order_count' },
      { column: 'amount', function: 'sum', window: lifetime(), name: 'amount_sum' },
      { column: 'amount', function: 'mean', window: sliding('1h'), name: 'amount_mean_1h' },
    ],
  });
  return { orders, all: [lastOrder, spending] as unknown as readonly Definition[] };
}

function makeOrders(topic: string, schema: typeof SCHEMA | typeof SCHEMA_2) {
  return topicSource({
    name: 'orders',
    topic,
    schema: schema as typeof SCHEMA,
    timestampField: 'at',
    keyFields: ['user'],
    partitions: 3,
    // Partitions are read side by side: no row is to be late because another came first.
    outOfOrderMs: 600_000,
  });
}

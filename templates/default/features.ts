/**
 * The features of this repository. `freshet apply` reads everything that this file exports, and
 * every file of a folder `features/` if there is one.
 */
import { entity, featureService, featureView, onDemandFeatureView, topicSource } from 'freshet';

/** What the features describe. A join key is the column that says which one. */
export const customer = entity({
  name: 'customer',
  joinKeys: { customer_id: 'int64' },
  description: 'Someone who orders',
});

/** Where the rows come from: a topic, and what each of its rows holds. */
export const orders = topicSource({
  name: 'orders',
  topic: 'orders',
  schema: {
    ordered_at: 'timestamp',
    customer_id: 'int64',
    amount: 'float64',
    items: 'int32',
    country: 'string',
  },
  timestampField: 'ordered_at',
  // All orders of a customer go to one partition, and so stay in order.
  keyFields: ['customer_id'],
});

/** The newest row of each customer. A value that is older than the TTL is not served. */
export const lastOrder = featureView({
  name: 'last_order',
  entities: [customer],
  source: orders,
  schema: { amount: 'float64', items: 'int32', country: 'string' },
  ttl: '30d',
  description: 'The last order of a customer',
});

/** Worked out from other features when they are read, online and for training alike. */
export const basket = onDemandFeatureView({
  name: 'basket',
  sources: [lastOrder],
  schema: { amount_per_item: 'float64' },
  transform: ({ amount, items }) => ({
    amount_per_item: amount === null || items === null ? null : amount / items,
  }),
  description: 'What the last order says about the next',
});

/** What one model reads, under one name. */
export const nextOrder = featureService({
  name: 'next_order',
  features: [lastOrder.select('amount', 'country'), basket],
  description: 'The features of a model that predicts the next order',
});

import { rowLayout } from '../../src/core/row-batch.ts';
import {
  entity,
  type FeatureView,
  featureView,
  parquetSource,
  topicSource,
} from '../../src/definition/index.ts';

const SCHEMA = {
  date: 'timestamp',
  airport: 'string',
  delay: 'int32',
  carrier: 'string',
} as const;

export const LAYOUT = rowLayout(SCHEMA);

export const flights = topicSource({
  name: 'flights',
  topic: 'flights',
  schema: SCHEMA,
  timestampField: 'date',
  keyFields: ['airport'],
});

export const history = parquetSource({
  name: 'history',
  path: 'history.parquet',
  schema: SCHEMA,
  timestampField: 'date',
});

export const airport = entity({ name: 'airport', joinKeys: { airport: 'string' } });

/** A stream view of airports, keyed by airport, with batch history beside it. */
export const stats = featureView({
  name: 'stats',
  entities: [airport],
  source: flights,
  batchSource: history,
  schema: { delay: 'int32', carrier: 'string' },
}) as unknown as FeatureView;

import {
  buildCatalog,
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
} from '../../src/definition/index.ts';

export const location = entity({ name: 'location', joinKeys: { location_id: 'int64' } });
const customer = entity({ name: 'customer', joinKeys: { customer_id: 'string' } });
export const source = parquetSource({
  name: 'history',
  path: 'history.parquet',
  schema: {
    at: 'timestamp',
    location_id: 'int64',
    customer_id: 'string',
    temperature: 'int32',
    wind: 'float64',
  },
  timestampField: 'at',
});
export const locationStats = featureView({
  name: 'location_stats',
  entities: [location],
  source,
  schema: { temperature: 'int32', wind: 'float64' },
});
export const tripStats = featureView({
  name: 'trip_stats',
  entities: [location, customer],
  source,
  schema: { temperature: 'int32' },
});
export const risk = onDemandFeatureView({
  name: 'risk',
  sources: [
    locationStats.select('wind'),
    requestSource({ name: 'trip', schema: { hour: 'int32' } }),
  ],
  schema: { risky: 'bool', score: 'float64' },
  transform: (row) => ({ risky: row.hour > 18, score: row.wind }),
});
export const route = featureService({
  name: 'route',
  features: [
    locationStats.withName('origin').withJoinKeyMap({ location_id: 'origin_id' }),
    locationStats.withName('destination').withJoinKeyMap({ location_id: 'destination_id' }),
  ],
});
export const catalog = buildCatalog([location, customer, locationStats, tripStats, risk, route]);

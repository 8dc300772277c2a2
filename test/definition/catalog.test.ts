import { describe, expect, it } from 'vitest';
import {
  buildCatalog,
  type Definition,
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
  topicSource,
} from '../../src/definition/index.ts';
import type { FreshetError } from '../../src/errors.ts';

const schema = { at: 'timestamp', driver: 'int64', rate: 'float64' } as const;
const driver = entity({ name: 'driver', joinKeys: { driver: 'int64' } });
const stream = topicSource({ name: 'rides', topic: 'rides', schema, timestampField: 'at' });
const batch = parquetSource({
  name: 'history',
  path: 'rides.parquet',
  schema,
  timestampField: 'at',
});
const stats = featureView({
  name: 'stats',
  entities: [driver],
  source: stream,
  batchSource: batch,
  schema: { rate: 'float64' },
});
const trip = requestSource({ name: 'trip', schema: { km: 'float64' } });
const fare = onDemandFeatureView({
  name: 'fare',
  sources: [stats, trip],
  schema: { fare: 'float64' },
  transform: (row) => ({ fare: (row.rate ?? 0) * row.km }),
});

const batchView = (name: string) =>
  featureView({ name, entities: [driver], source: batch, schema: { rate: 'float64' } });
const rejected = (...definitions: Definition[]): FreshetError => {
  try {
    buildCatalog(definitions);
  } catch (error) {
    return error as FreshetError;
  }
  throw new Error('the catalog was accepted');
};

describe('buildCatalog', () => {
  it('finds entities and sources through the views', () => {
    const catalog = buildCatalog([stats, fare]);
    expect([...catalog.entities.keys()]).toEqual(['driver']);
    expect([...catalog.sources.keys()]).toEqual(['rides', 'history', 'trip']);
    expect(catalog.views.get('stats')).toBe(stats);
    expect(catalog.onDemandViews.get('fare')).toBe(fare);
  });

  it('takes the same object twice as one', () => {
    expect(buildCatalog([stats, driver, stats, driver]).views.size).toBe(1);
  });

  it('refuses two views of one name', () => {
    const error = rejected(stats, featureView({ ...spec, name: 'stats' }));
    expect(error.code).toBe('CONFLICTING_FEATURE_VIEW_NAMES');
    expect(error.message).toContain('Multiple StreamFeatureViews found for name stats');
    expect(error.message).toContain('Feature view names must be case-insensitively unique');
  });

  it('refuses names that differ in case only, and shows both', () => {
    const error = rejected(batchView('Stats'), batchView('stats'));
    expect(error.code).toBe('CONFLICTING_FEATURE_VIEW_NAMES');
    expect(error.message).toContain('found for name stats (also written Stats)');
  });

  it('names both kinds when they differ', () => {
    const other = onDemandFeatureView({
      name: 'plain',
      sources: [trip],
      schema: { x: 'bool' },
      transform: () => ({ x: true }),
    });
    expect(rejected(batchView('plain'), other).message).toContain(
      'name plain: FeatureView and OnDemandFeatureView',
    );
  });

  it('refuses two sources of one name, found through views or given', () => {
    const error = rejected(
      stats,
      parquetSource({ name: 'HISTORY', path: 'x.parquet', schema, timestampField: 'at' }),
    );
    expect(error.code).toBe('CONFLICTING_NAMES');
    expect(error.message).toContain('Multiple data sources share the same case-insensitive name');
  });

  it('refuses two sources of one topic', () => {
    const second = topicSource({ name: 'again', topic: 'rides', schema, timestampField: 'at' });
    expect(rejected(stream, second).message).toBe(
      'sources "rides" and "again" both read topic "rides"',
    );
  });

  it('refuses two entities of one name', () => {
    const other = entity({ name: 'Driver', joinKeys: { driver: 'string' } });
    expect(rejected(driver, other).message).toContain('Multiple entities');
  });

  it('refuses a service or an on-demand view whose view is not defined', () => {
    const service = featureService({ name: 'model', features: [stats.select('rate')] });
    expect(rejected(service).message).toContain('service "model" uses view "stats"');
    expect(rejected(fare).message).toContain('on-demand view "fare" uses view "stats"');
    expect(rejected(service).code).toBe('FEATURE_VIEW_NOT_FOUND');
  });

  it('refuses a service on a view of the same name made elsewhere', () => {
    const service = featureService({ name: 'model', features: [stats] });
    const error = rejected(service, featureView({ ...spec, name: 'stats' }));
    expect(error.message).toContain('another view of the name "stats"');
  });

  it('refuses a service that gives one full feature name twice', () => {
    const service = featureService({ name: 'model', features: [stats, stats.select('rate')] });
    expect(rejected(stats, service).code).toBe('FEATURE_NAME_COLLISION');
    const apart = featureService({ name: 'model', features: [stats, stats.withName('other')] });
    expect(buildCatalog([stats, apart]).services.size).toBe(1);
  });

  it('refuses a service whose views want one column in two types', () => {
    const rider = entity({ name: 'rider', joinKeys: { rider: 'string' } });
    const riders = parquetSource({
      name: 'riders',
      path: 'r.parquet',
      schema: { at: 'timestamp', rider: 'string', age: 'int32' },
      timestampField: 'at',
    });
    const ages = featureView({
      name: 'ages',
      entities: [rider],
      source: riders,
      schema: { age: 'int32' },
    });
    const service = featureService({
      name: 'model',
      features: [stats, ages.withJoinKeyMap({ rider: 'driver' })],
    });
    expect(rejected(stats, ages, service).message).toBe(
      'service "model": join key "driver" is int64 in view "stats" but string in view "ages"',
    );
  });
});

const spec = { entities: [driver], source: stream, schema: { rate: 'float64' } } as const;

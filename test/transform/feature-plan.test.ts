import { describe, expect, it } from 'vitest';
import {
  buildCatalog,
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
} from '../../src/definition/index.ts';
import type { FreshetError } from '../../src/errors.ts';
import { type FeatureRequest, planFeatures } from '../../src/transform/index.ts';

const location = entity({ name: 'location', joinKeys: { location_id: 'int64' } });
const customer = entity({ name: 'customer', joinKeys: { customer_id: 'string' } });
const source = parquetSource({
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
const locationStats = featureView({
  name: 'location_stats',
  entities: [location],
  source,
  schema: { temperature: 'int32', wind: 'float64' },
});
const tripStats = featureView({
  name: 'trip_stats',
  entities: [location, customer],
  source,
  schema: { temperature: 'int32' },
});
const risk = onDemandFeatureView({
  name: 'risk',
  sources: [
    locationStats.select('wind'),
    requestSource({ name: 'trip', schema: { hour: 'int32' } }),
  ],
  schema: { risky: 'bool', score: 'float64' },
  transform: (row) => ({ risky: row.hour > 18, score: row.wind }),
});
const route = featureService({
  name: 'route',
  features: [
    locationStats.withName('origin').withJoinKeyMap({ location_id: 'origin_id' }),
    locationStats.withName('destination').withJoinKeyMap({ location_id: 'destination_id' }),
  ],
});
const catalog = buildCatalog([location, customer, locationStats, tripStats, risk, route]);

const plan = (request: FeatureRequest) => planFeatures(catalog, request);

describe('planFeatures', () => {
  it('answers in the order of the request and reads a view once', () => {
    const { reads, outputs } = plan({
      features: ['location_stats:wind', 'trip_stats:temperature', 'location_stats:temperature'],
      fullFeatureNames: true,
    });
    expect(outputs.map(({ name }) => name)).toEqual([
      'location_stats__wind',
      'trip_stats__temperature',
      'location_stats__temperature',
    ]);
    expect(reads.map((read) => [read.alias, read.features])).toEqual([
      ['location_stats', ['wind', 'temperature']],
      ['trip_stats', ['temperature']],
    ]);
    expect(outputs[2]?.from).toEqual({ kind: 'read', index: 0, slot: 1 });
  });

  it('reads a view once for each alias and join key map of a service', () => {
    const { reads, joinKeys } = plan({ service: 'route', fullFeatureNames: true });
    expect(reads.map(({ alias }) => alias)).toEqual(['origin', 'destination']);
    expect(joinKeys.map(({ column }) => column)).toEqual(['origin_id', 'destination_id']);
    expect(joinKeys.map(({ type }) => type)).toEqual(['int64', 'int64']);
  });

  it('reads what an on-demand view needs without returning it', () => {
    const { reads, transforms, outputs, requestFields } = plan({ features: ['risk:risky'] });
    expect(reads.map(({ features }) => features)).toEqual([['wind']]);
    expect(outputs.map(({ name }) => name)).toEqual(['risky']);
    expect(transforms[0]?.inputs).toEqual([
      { alias: 'location_stats', feature: 'wind', read: 0, slot: 0 },
    ]);
    expect(requestFields).toEqual([{ name: 'hour', type: 'int32', source: 'trip', view: 'risk' }]);
  });

  it('takes views, parts of them and services as values', () => {
    const names = (request: FeatureRequest) => plan(request).outputs.map(({ name }) => name);
    expect(names({ features: [locationStats] })).toEqual(['temperature', 'wind']);
    expect(names({ features: [locationStats.select('wind')] })).toEqual(['wind']);
    expect(names({ features: [risk.select('score'), tripStats] })).toEqual([
      'score',
      'temperature',
    ]);
    expect(names({ features: route, fullFeatureNames: true })).toHaveLength(4);
  });

  it('uses the definition of the catalog, wherever the reference came from', () => {
    const twin = featureView({
      name: 'location_stats',
      entities: [location],
      source,
      schema: { wind: 'float64' },
    });
    expect(plan({ features: [twin] }).reads[0]?.view).toBe(locationStats);
  });

  const collision = 'FEATURE_NAME_COLLISION';
  it.each<[string, FeatureRequest, string, string]>([
    [
      'an unknown view',
      { features: ['location_stat:wind'] },
      'FEATURE_VIEW_NOT_FOUND',
      '"location_stats"',
    ],
    ['an unknown feature', { features: ['location_stats:wnd'] }, 'FEATURE_NOT_FOUND', '"wind"'],
    ['an unknown output', { features: ['risk:riski'] }, 'FEATURE_NOT_FOUND', '"risky"'],
    ['an unknown service', { service: 'routes' }, 'FEATURE_SERVICE_NOT_FOUND', '"route"'],
    [
      'a view without a feature',
      { features: ['location_stats'] },
      'INVALID_ARGUMENT',
      '"location_stats"',
    ],
    ['nothing', { features: [] }, 'INVALID_ARGUMENT', 'no features'],
    ['neither', {}, 'INVALID_ARGUMENT', 'neither'],
    ['both', { features: ['risk:risky'], service: 'route' }, 'INVALID_ARGUMENT', 'both'],
    [
      'two views with one feature name',
      { features: [locationStats, tripStats] },
      collision,
      'view "location_stats" and a feature of view "trip_stats"',
    ],
    [
      'an alias without full names',
      { service: 'route' },
      collision,
      '"origin" and a feature of view "destination"',
    ],
    ['one feature twice', { features: ['risk:risky', 'risk:risky'] }, collision, 'twice'],
    [
      'a join key of two types',
      {
        features: [
          'location_stats:wind',
          tripStats.withJoinKeyMap({ customer_id: 'location_id', location_id: 'other' }),
        ],
      },
      'INVALID_ARGUMENT',
      '"location_id" is int64',
    ],
  ])('refuses %s', (_, request, code, text) => {
    let error: FreshetError | undefined;
    try {
      plan(request);
    } catch (thrown) {
      error = thrown as FreshetError;
    }
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(text);
  });
});

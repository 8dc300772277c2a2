import { describe, expect, it } from 'vitest';
import { type FeatureRequest, planFeatures } from '../../src/transform/index.ts';
import { catalog, locationStats, risk, route, tripStats } from './fixtures.ts';

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

  const collision = 'FEATURE_NAME_COLLISION';
  it.each<[string, FeatureRequest, string, string]>([
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
    expect(() => planFeatures(catalog, request)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });
});

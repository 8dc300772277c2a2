import { describe, expect, it } from 'vitest';
import { featureView, viewOf } from '../../src/definition/index.ts';
import type { FeatureRequest } from '../../src/transform/index.ts';
import { resolveRequest } from '../../src/transform/resolve-request.ts';
import { catalog, location, locationStats, risk, source } from './fixtures.ts';

describe('resolveRequest', () => {
  it('uses the definition of the catalog, wherever the reference came from', () => {
    const twin = featureView({
      name: 'location_stats',
      entities: [location],
      source,
      schema: { wind: 'float64' },
    });
    const [resolved] = resolveRequest(catalog, { features: [twin] });
    expect(resolved).toMatchObject({
      kind: 'projection',
      projection: { view: viewOf(locationStats), alias: 'location_stats', features: ['wind'] },
    });
  });

  it('finds views and on-demand views by name', () => {
    const resolved = resolveRequest(catalog, { features: ['location_stats:wind', 'risk:score'] });
    expect(resolved).toMatchObject([
      { kind: 'projection', projection: { view: locationStats, features: ['wind'] } },
      { kind: 'onDemand', view: risk, features: ['score'] },
    ]);
  });

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
  ])('refuses %s', (_, request, code, text) => {
    expect(() => resolveRequest(catalog, request)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });
});

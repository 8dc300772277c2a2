import { describe, expect, it } from 'vitest';
import { batchRelation } from './fixture.ts';
import { AT, COLUMNS, expectError, ROWS, route, us, useWeather, weather } from './weather.ts';

const world = useWeather();

describe('without entity rows', () => {
  it('every distinct row of the range is a label', async () => {
    world.fixture.relations.set('weather', [batchRelation(COLUMNS, [...ROWS, ROWS[0] as string])]);
    const features = await world.reader().getHistoricalFeatures({
      features: ['weather:temperature'],
      startTime: '2025-01-01T10:00:00Z',
      endTime: '2025-01-01T11:00:00Z',
    });
    expect(await features.toArray()).toEqual([
      { airport: 'LAX', event_timestamp: us('2025-01-01T10:00:00Z'), temperature: 20 },
      { airport: 'SFO', event_timestamp: us('2025-01-01T11:00:00Z'), temperature: 12 },
    ]);
    expect(features.metadata.minEventTimestampUs).toBe(us('2025-01-01T10:00:00Z'));
    expect(features.metadata.maxEventTimestampUs).toBe(us('2025-01-01T11:00:00Z'));
  });

  it('the range is the longest TTL up to now', async () => {
    const features = await world.reader().getHistoricalFeatures({ features: [weather] });
    expect(features.metadata.minEventTimestampUs).toBe(us('2025-01-14T12:00:00Z'));
    expect(features.metadata.maxEventTimestampUs).toBe(us('2025-01-15T12:00:00Z'));
    expect(await features.toArray()).toEqual([]);
  });

  it('labels of views under two names match only their own', async () => {
    const features = await world.reader().getHistoricalFeatures({
      service: route,
      fullFeatureNames: true,
      startTime: '2025-01-01T11:00:00Z',
      endTime: '2025-01-01T11:00:00Z',
    });
    const event_timestamp = us('2025-01-01T11:00:00Z');
    expect(await features.toArray()).toEqual([
      {
        origin: 'SFO',
        destination: null,
        event_timestamp,
        from__temperature: 12,
        to__temperature: null,
      },
      {
        origin: null,
        destination: 'SFO',
        event_timestamp,
        from__temperature: null,
        to__temperature: 12,
      },
    ]);
  });

  it('a start after the end is refused', () =>
    expectError(
      world
        .reader()
        .getHistoricalFeatures({ features: [weather], startTime: AT, endTime: '2025-01-01' }),
      'INVALID_ARGUMENT',
      'after its end',
    ));
});

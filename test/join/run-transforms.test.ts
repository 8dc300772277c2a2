import { describe, expect, it } from 'vitest';
import { AT, expectError, us, useWeather } from './weather.ts';

const world = useWeather();

describe('on-demand views', () => {
  const entityRows = [
    { airport: 'LAX', event_timestamp: AT, sensitivity: 30 },
    { airport: 'JFK', event_timestamp: AT, sensitivity: 0.5 },
  ];

  it('run over the joined rows, and only what was asked for is returned', async () => {
    const features = await world.reader().getHistoricalFeatures({
      features: ['feels:reasons', 'weather:wind', 'feels:cold'],
      entityRows,
    });
    expect(await features.toArray()).toEqual([
      {
        ...entityRows[0],
        event_timestamp: us(AT),
        reasons: { sensitivity: 30, known: true },
        wind: null,
        cold: true,
      },
      {
        ...entityRows[1],
        event_timestamp: us(AT),
        reasons: { sensitivity: 0.5, known: false },
        wind: null,
        cold: null,
      },
    ]);
  });

  it('need their request data in every entity row', async () => {
    await expectError(
      world.reader().getHistoricalFeatures({
        features: ['feels:cold'],
        entityRows: [{ airport: 'LAX', event_timestamp: AT, sensitvity: 1 }],
      }),
      'MISSING_REQUEST_DATA',
      'Did you mean "sensitvity"?',
    );
    const features = await world.reader().getHistoricalFeatures({
      features: ['feels:cold'],
      entityRows: [
        entityRows[0],
        { airport: 'LAX', event_timestamp: AT, sensitivity: null },
      ] as never,
    });
    await expectError(features.toArray(), 'MISSING_REQUEST_DATA', 'row 1');
  });

  it('take request data from files', async () => {
    const features = await world.reader().getHistoricalFeatures({
      features: ['feels:score'],
      entityRows: {
        sql: `SELECT 'LAX' AS airport, TIMESTAMP '2025-01-01 12:00:00' AS event_timestamp, 2::BIGINT AS sensitivity`,
      },
    });
    expect(await features.toArray()).toMatchObject([{ sensitivity: 2n, score: 44 }]);
  });
});

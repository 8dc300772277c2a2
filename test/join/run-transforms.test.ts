import { describe, expect, it } from 'vitest';
import { onDemandFeatureView, requestSource } from '../../src/definition/index.ts';
import { AT, expectError, us, useWeather, weather } from './weather.ts';

const world = useWeather();
const person = requestSource({ name: 'person', schema: { sensitivity: 'float64' } });

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

  it('that fail name the view and the row of the whole spine', async () => {
    const failing = onDemandFeatureView({
      name: 'strict',
      sources: [weather, person],
      schema: { known: 'bool' },
      transform: ({ sensitivity }) => {
        if (sensitivity === 13) throw new Error('unlucky');
        return { known: true };
      },
    });
    const spine = Array.from({ length: 5_000 }, (_, i) => ({
      ...entityRows[0]!,
      sensitivity: i === 4_321 ? 13 : 1,
    }));
    const features = await world.fixture.reader([weather, failing]).getHistoricalFeatures({
      features: ['strict:known'],
      entityRows: spine,
    });
    await expect(features.toArray()).rejects.toMatchObject({
      code: 'TRANSFORM_FAILED',
      message: 'on-demand view "strict", row 4321: unlucky',
      where: { view: 'strict', row: 4_321 },
    });
  });

  it('that give another answer for the same row are found', async () => {
    let calls = 0;
    const counting = onDemandFeatureView({
      name: 'counting',
      sources: [weather, person],
      schema: { calls: 'int32' },
      transform: () => ({ calls: ++calls }),
    });
    const features = await world.fixture
      .reader([weather, counting])
      .getHistoricalFeatures({ features: ['counting:calls'], entityRows });
    await expect(features.toArray()).rejects.toMatchObject({
      code: 'TRANSFORM_FAILED',
      message: expect.stringContaining('must be deterministic'),
    });
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

import { describe, expect, it } from 'vitest';
import { AT, expectError, us, useWeather, weather } from './weather.ts';

const world = useWeather();

describe('entity rows', () => {
  const ask = (entityRows: unknown, features = ['weather:temperature']) =>
    world.reader().getHistoricalFeatures({ features, entityRows } as never);

  it('without a join key are refused, naming the nearest column', () =>
    expectError(
      ask([{ airprt: 'LAX', event_timestamp: AT }]),
      'JOIN_KEY_MISSING',
      'Did you mean "airprt"?',
    ));

  it('without a time are refused', async () => {
    await expectError(
      ask([{ airport: 'LAX', x: 1 }]),
      'EVENT_TIMESTAMP_MISSING',
      'none of their columns',
    );
    await expectError(
      ask([{ airport: 'LAX', a: new Date(AT), b: new Date(AT) }]),
      'EVENT_TIMESTAMP_MISSING',
      'a, b',
    );
    await expectError(
      ask([
        { airport: 'LAX', event_timestamp: AT },
        { airport: 'LAX', event_timestamp: null },
      ]),
      'EVENT_TIMESTAMP_MISSING',
      'entity row 1',
    );
    await expectError(
      ask({ sql: "SELECT 'LAX' AS airport, NULL::TIMESTAMP AS event_timestamp" }),
      'EVENT_TIMESTAMP_MISSING',
      'entity row 0',
    );
  });

  it('take the only column of timestamps as their time', async () => {
    const features = await ask([{ airport: 'LAX', when: new Date(AT) }]);
    expect(await features.toArray()).toEqual([{ airport: 'LAX', when: us(AT), temperature: 22 }]);
    const queried = await ask({ sql: `SELECT 'LAX' AS airport, TIMESTAMPTZ '${AT}' AS seen` });
    expect(await queried.toArray()).toEqual([{ airport: 'LAX', seen: us(AT), temperature: 22 }]);
  });

  it('with different keys are refused', () =>
    expectError(
      ask([
        { airport: 'LAX', event_timestamp: AT },
        { airport: 'LAX', event_timestamp: AT, extra: 1 },
      ]),
      'INVALID_ARGUMENT',
      'entity row 1 has "extra"',
    ));

  it('with a value of another type are refused, naming row and column', () =>
    expectError(
      ask([{ airport: true, event_timestamp: AT }]),
      'VALUE_TYPE',
      'entity row 0, column "airport"',
    ));

  it('with a column that has a feature’s name are refused', () =>
    expectError(
      ask([{ airport: 'LAX', event_timestamp: AT, temperature: 1 }]),
      'FEATURE_NAME_COLLISION',
      'column "temperature"',
    ));

  it('give other columns back unchanged', async () => {
    const extra = {
      text: 'a',
      small: -3,
      large: 2 ** 40,
      half: 0.5,
      zero: -0,
      big: 2n ** 60n,
      flag: false,
      bytes: new Uint8Array([0, 255]),
      list: [1, 2.5],
      mixed: [1, 'a', { b: null }],
      nothing: null,
    };
    const features = await ask([{ airport: 'LAX', event_timestamp: AT, ...extra }]);
    const [row] = await features.toArray();
    expect(row).toEqual({ airport: 'LAX', event_timestamp: us(AT), ...extra, temperature: 22 });
  });
  it('beside a range of time are refused', () =>
    expectError(
      world.reader().getHistoricalFeatures({
        features: [weather],
        entityRows: [{ airport: 'LAX', event_timestamp: AT }],
        startTime: AT,
      }),
      'INVALID_ARGUMENT',
      'both given',
    ));
});

/** Weather of airports as definitions and rows, which most tests of the join read. */
import { afterEach, beforeEach, expect } from 'vitest';
import { toTimestampUs } from '../../src/core/time.ts';
import {
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
} from '../../src/definition/index.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { HistoricalReader } from '../../src/join/index.ts';
import { batchRelation, type JoinFixture, openJoinFixture } from './fixture.ts';

export const airport = entity({ name: 'airport', joinKeys: { airport: 'string' } });
const source = parquetSource({
  name: 'weather',
  path: 'weather.parquet',
  schema: { airport: 'string', ts: 'timestamp', temperature: 'int32', wind: 'float64' },
  timestampField: 'ts',
});
export const weather = featureView({
  name: 'weather',
  entities: [airport],
  source,
  schema: { temperature: 'int32', wind: 'float64' },
  ttl: '1d',
});
export const hidden = featureView({
  name: 'hidden',
  entities: [airport],
  source,
  schema: { wind: 'float64' },
  offline: false,
});
const feels = onDemandFeatureView({
  name: 'feels',
  sources: [weather, requestSource({ name: 'person', schema: { sensitivity: 'float64' } })],
  schema: { cold: 'bool', score: 'float64', reasons: 'json' },
  transform: ({ temperature, sensitivity }) => ({
    cold: temperature === null ? null : temperature < sensitivity,
    score: (temperature ?? 0) * sensitivity,
    reasons: { sensitivity, known: temperature !== null },
  }),
});
export const route = featureService({
  name: 'route',
  features: [
    weather.select('temperature').withName('from').withJoinKeyMap({ airport: 'origin' }),
    weather.select('temperature').withName('to').withJoinKeyMap({ airport: 'destination' }),
  ],
});
export const definitions = [weather, hidden, feels, route];

export const COLUMNS = 'airport VARCHAR, ts TIMESTAMP, temperature INTEGER, wind DOUBLE';
export const ROWS = [
  "'LAX', '2025-01-01 10:00:00', 20, 1.5",
  "'LAX', '2025-01-01 12:00:00', 22, NULL",
  "'SFO', '2025-01-01 11:00:00', 12, 3.5",
];
export const AT = '2025-01-01T12:00:00Z';
export const us = toTimestampUs;

export interface Weather {
  readonly fixture: JoinFixture;
  reader(): HistoricalReader;
}

/** A database with the weather in it for each test of the file. */
export function useWeather(): Weather {
  let fixture: JoinFixture;
  beforeEach(async () => {
    fixture = await openJoinFixture();
    fixture.relations.set('weather', [batchRelation(COLUMNS, ROWS)]);
  });
  afterEach(() => fixture.close());
  return {
    get fixture() {
      return fixture;
    },
    reader: () => fixture.reader(definitions),
  };
}

export async function expectError(
  attempt: Promise<unknown>,
  code: ErrorCode,
  text: string,
): Promise<void> {
  const error = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toContain(text);
}

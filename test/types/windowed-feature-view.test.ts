import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  entity,
  type FeatureVectorOf,
  lastN,
  lifetime,
  percentile,
  sliding,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/definition/index.ts';

const airport = entity({ name: 'airport', joinKeys: { origin: 'string' } });
const flights = topicSource({
  name: 'flights',
  topic: 'flights',
  schema: { date: 'timestamp', origin: 'string', delay: 'int32', fuel: 'float64' },
  timestampField: 'date',
});

const delays = windowedFeatureView({
  name: 'delays',
  entities: [airport],
  source: flights,
  where: (row) => row.delay !== null,
  derive: { late: { type: 'bool', of: (row) => (row.delay ?? 0) > 15 } },
  aggregations: [
    { function: 'count', window: sliding('1h') },
    { column: 'delay', function: 'mean', window: sliding('24h') },
    { column: 'delay', function: 'sum', window: tumbling('1h') },
    { column: 'fuel', function: 'sum', window: lifetime() },
    { column: 'late', function: 'any', window: sliding('7d'), name: 'any_late' },
    { column: 'origin', function: lastN(3), window: lifetime() },
    { column: 'delay', function: percentile(0.95), window: sliding('7d'), name: 'p95' },
  ],
});

describe('windowedFeatureView', () => {
  it('infers the names and types of its features', () => {
    type Vector = FeatureVectorOf<[typeof delays]>;
    expectTypeOf<Vector>().toEqualTypeOf<{
      readonly count_1h: bigint | null;
      readonly delay_mean_24h: number | null;
      readonly delay_sum_tumbling_1h: bigint | null;
      readonly fuel_sum_lifetime: number | null;
      readonly any_late: boolean | null;
      readonly origin_lastN_lifetime: string[] | null;
      readonly p95: number | null;
    }>();
    expect(delays.schema).toEqual({
      count_1h: 'int64',
      delay_mean_24h: 'float64',
      delay_sum_tumbling_1h: 'int64',
      fuel_sum_lifetime: 'float64',
      any_late: 'bool',
      origin_lastN_lifetime: 'string[]',
      p95: 'float64',
    });
  });

  it('does not compile with a misspelt feature or column', () => {
    // @ts-expect-error there is no such feature
    expect(() => delays.select('delay_mean_24d')).toThrow('no feature "delay_mean_24d"');
    expect(() =>
      windowedFeatureView({
        name: 'delays',
        source: flights,
        // @ts-expect-error there is no such column
        aggregations: [{ column: 'dealy', function: 'mean', window: lifetime() }],
      }),
    ).toThrow('neither in the source nor derived');
  });

  it('refuses functions that cannot read their column, naming the aggregation', () => {
    const make = (aggregation: object): unknown =>
      windowedFeatureView({ name: 'v', source: flights, aggregations: [aggregation as never] });
    expect(() => make({ column: 'origin', function: 'mean', window: lifetime() })).toThrow(
      'aggregation "origin_mean_lifetime" needs numbers, but "origin" is string',
    );
    expect(() => make({ column: 'delay', function: 'any', window: lifetime() })).toThrow(
      'needs a bool',
    );
    expect(() => make({ function: 'max', window: lifetime() })).toThrow('names no column');
    expect(() => make({ function: 'cuont', window: lifetime() })).toThrow(
      'view "v": there is no function "cuont". Did you mean "count"?',
    );
    expect(() => make({ column: 'delay', function: 'percentile', window: lifetime() })).toThrow(
      'the function percentile needs a parameter',
    );
    expect(() => make({ function: 'count', window: sliding('1.5h') })).toThrow('has no valid name');
    expect(() => make({ column: 'delay', function: percentile(2), window: lifetime() })).toThrow(
      'not 0 to 1',
    );
  });

  it('steps the tail of a sliding window by about a sixtieth of its size', () => {
    expect(sliding('1h').everyUs).toBe(60e6);
    expect(sliding('24h').everyUs).toBe(15 * 60e6);
    expect(sliding('7d').everyUs).toBe(6 * 3_600e6);
    expect(sliding('90d').everyUs).toBe(86_400e6);
  });
});

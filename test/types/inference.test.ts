import { describe, expectTypeOf, it } from 'vitest';
import {
  type EntityRowOf,
  entity,
  type FeatureRef,
  type FeatureVectorOf,
  featureService,
  featureView,
  onDemandFeatureView,
  requestSource,
  topicSource,
  type UntypedFeatureVector,
} from '../../src/definition/index.ts';

const airport = entity({ name: 'airport', joinKeys: { airport: 'string' } });
const route = entity({ name: 'route', joinKeys: { origin: 'string', number: 'int64' } });
const flights = topicSource({
  name: 'flights',
  topic: 'flights',
  schema: {
    date: 'timestamp',
    airport: 'string',
    origin: 'string',
    number: 'int64',
    delay: 'int32',
    carriers: 'string[]',
    extra: 'json',
  },
  timestampField: 'date',
});
const stats = featureView({
  name: 'airport_stats',
  entities: [airport],
  source: flights,
  schema: { delay: 'int32', number: 'int64', carriers: 'string[]' },
});
const both = featureView({
  name: 'both_stats',
  entities: [airport, route],
  source: flights,
  schema: { extra: 'json' },
});
const world = featureView({ name: 'world', source: flights, schema: { delay: 'int32' } });
const trip = requestSource({ name: 'trip', schema: { hour: 'int32' } });
const risk = onDemandFeatureView({
  name: 'risk',
  sources: [stats.select('delay').withJoinKeyMap({ airport: 'departure' }), world, trip],
  schema: { risky: 'bool', score: 'float64' },
  transform: (row) => {
    expectTypeOf(row.delay).toEqualTypeOf<number | null>();
    expectTypeOf(row.hour).toEqualTypeOf<number>();
    // @ts-expect-error number was not selected
    row.number;
    return { risky: (row.delay ?? 0) > row.hour, score: null };
  },
});

describe('a view', () => {
  it('knows its join keys and features', () => {
    expectTypeOf<EntityRowOf<[typeof stats]>>().toEqualTypeOf<{ readonly airport: string }>();
    expectTypeOf<FeatureVectorOf<[typeof stats]>>().toEqualTypeOf<{
      readonly delay: number | null;
      readonly number: bigint | null;
      readonly carriers: string[] | null;
    }>();
  });

  it('has the join keys of all its entities', () => {
    expectTypeOf<EntityRowOf<[typeof both]>>().toEqualTypeOf<{
      readonly airport: string;
      readonly origin: string;
      readonly number: bigint | number;
    }>();
  });

  it('without entities needs nothing of an entity row', () => {
    expectTypeOf<keyof EntityRowOf<[typeof world]>>().toEqualTypeOf<never>();
  });

  it('refuses names it does not have', () => {
    const notRun = (): void => {
      // @ts-expect-error no such feature
      stats.select('dealy');
      // @ts-expect-error no such join key
      stats.withJoinKeyMap({ airprot: 'origin' });
      // @ts-expect-error one right join key does not excuse a wrong one
      both.withJoinKeyMap({ airport: 'a', airprot: 'b' });
      // @ts-expect-error not selected before
      stats.select('delay').select('number');
      // @ts-expect-error the timestamp field is misspelt
      topicSource({ name: 's', topic: 't', schema: { at: 'timestamp' }, timestampField: 'ta' });
      // @ts-expect-error no such type
      requestSource({ name: 's', schema: { at: 'int31' } });
    };
    expectTypeOf(notRun).toBeFunction();
  });
});

describe('a projection', () => {
  it('gives the selected features under its alias', () => {
    const refs = [stats.select('delay').withName('origin_stats'), stats] as const;
    expectTypeOf<FeatureVectorOf<typeof refs, true>>().toEqualTypeOf<{
      readonly origin_stats__delay: number | null;
      readonly airport_stats__delay: number | null;
      readonly airport_stats__number: bigint | null;
      readonly airport_stats__carriers: string[] | null;
    }>();
  });

  it('asks for join keys under their mapped names', () => {
    const refs = [
      stats.withJoinKeyMap({ airport: 'departure' }),
      both.withJoinKeyMap({ number: 'flight' }).withName('x').select('extra'),
    ] as const;
    expectTypeOf<EntityRowOf<typeof refs>>().toEqualTypeOf<{
      readonly departure: string;
      readonly airport: string;
      readonly origin: string;
      readonly flight: bigint | number;
    }>();
  });
});

describe('an on-demand view', () => {
  it('asks for the join keys of its sources and for request data', () => {
    expectTypeOf<EntityRowOf<[typeof risk]>>().toEqualTypeOf<{
      readonly departure: string;
      readonly hour: number;
    }>();
  });

  it('gives its own outputs, or the selected ones', () => {
    expectTypeOf<FeatureVectorOf<[typeof risk]>>().toEqualTypeOf<{
      readonly risky: boolean | null;
      readonly score: number | null;
    }>();
    const risky = risk.select('risky');
    expectTypeOf<FeatureVectorOf<[typeof risky], true>>().toEqualTypeOf<{
      readonly risk__risky: boolean | null;
    }>();
  });

  it('refuses a transform that misses an output or gives another type', () => {
    const notRun = (): void => {
      onDemandFeatureView({
        name: 'wrong',
        sources: [stats],
        schema: { risky: 'bool' },
        // @ts-expect-error risky is missing
        transform: () => ({}),
      });
      onDemandFeatureView({
        name: 'wrong',
        sources: [stats],
        schema: { risky: 'bool' },
        // @ts-expect-error risky is not a string
        transform: () => ({ risky: 'yes' }),
      });
      // @ts-expect-error no such output
      risk.select('riskyy');
    };
    expectTypeOf(notRun).toBeFunction();
  });
});

describe('a feature service', () => {
  const service = featureService({
    name: 'delay_model',
    features: [
      stats.withName('origin_stats').withJoinKeyMap({ airport: 'origin' }),
      stats
        .select('delay')
        .withName('destination_stats')
        .withJoinKeyMap({ airport: 'destination' }),
      risk.select('score'),
    ],
  });

  it('merges what its features need and give', () => {
    expectTypeOf<EntityRowOf<typeof service>>().toEqualTypeOf<{
      readonly origin: string;
      readonly destination: string;
      readonly departure: string;
      readonly hour: number;
    }>();
    expectTypeOf<FeatureVectorOf<typeof service, true>>().toEqualTypeOf<{
      readonly origin_stats__delay: number | null;
      readonly origin_stats__number: bigint | null;
      readonly origin_stats__carriers: string[] | null;
      readonly destination_stats__delay: number | null;
      readonly risk__score: number | null;
    }>();
  });

  it('refuses entity rows with a misspelt or missing key', () => {
    const row: EntityRowOf<typeof service> = {
      origin: 'SFO',
      destination: 'LAX',
      departure: 'SFO',
      hour: 7,
    };
    expectTypeOf(row.hour).toEqualTypeOf<number>();
    // @ts-expect-error hour is missing
    const missing: EntityRowOf<typeof service> = { origin: 'a', destination: 'b', departure: 'c' };
    const misspelt: EntityRowOf<[typeof stats]> = {
      // @ts-expect-error airprot is no join key
      airprot: 'SFO',
    };
    expectTypeOf([missing, misspelt]).toBeArray();
  });
});

describe('features known only at run time', () => {
  it('have any name and any value', () => {
    expectTypeOf<FeatureVectorOf<readonly FeatureRef[]>>().toEqualTypeOf<UntypedFeatureVector>();
    const row: EntityRowOf<readonly FeatureRef[]> = { anything: [1, 2], at: new Date(0) };
    expectTypeOf(row).not.toBeNever();
  });
});

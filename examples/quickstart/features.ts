/**
 * Three million US flights of January to June 2001, as a stream of events keyed by origin airport.
 * One view describes an airport; the model reads it twice, for both ends of a flight.
 */
import {
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  percentile,
  session,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';

export const airport = entity({
  name: 'airport',
  joinKeys: { origin: 'string' },
  description: 'An airport, by its three-letter code',
});

export const flights = topicSource({
  name: 'flights',
  topic: 'flights',
  schema: {
    date: 'timestamp',
    origin: 'string',
    destination: 'string',
    delay: 'int32',
    distance: 'int32',
  },
  timestampField: 'date',
  keyFields: ['origin'],
  // The flights are from 2001: they arrive long after they happened, never before.
  maxAheadMs: 0,
});

export const airportStats = featureView({
  name: 'airport_stats',
  entities: [airport],
  source: flights,
  schema: { delay: 'int32', distance: 'int32', destination: 'string' },
  description: 'The newest departure of an airport',
  tags: { team: 'flights' },
});

/** Late as the airlines count it, for shares: 1 and 0. */
const LATE_MINUTES = 15;

export const airportDelays = windowedFeatureView({
  name: 'airport_delays',
  entities: [airport],
  source: flights,
  derive: {
    late: {
      type: 'int32',
      of: (row) => (row.delay === null ? null : Number(row.delay > LATE_MINUTES)),
    },
  },
  aggregations: [
    { function: 'count', window: sliding('1h'), name: 'flights_1h' },
    { column: 'delay', function: 'mean', window: sliding('1h'), name: 'delay_mean_1h' },
    { column: 'delay', function: percentile(0.95), window: sliding('1h'), name: 'delay_p95_1h' },
    { column: 'late', function: 'mean', window: sliding('1h'), name: 'late_share_1h' },
    { function: 'count', window: sliding('24h'), name: 'flights_24h' },
    { column: 'delay', function: 'mean', window: sliding('24h'), name: 'delay_mean_24h' },
    { column: 'delay', function: percentile(0.95), window: sliding('24h'), name: 'delay_p95_24h' },
    { column: 'late', function: 'mean', window: sliding('24h'), name: 'late_share_24h' },
    { function: 'count', window: sliding('7d'), name: 'flights_7d' },
    { column: 'delay', function: 'mean', window: sliding('7d'), name: 'delay_mean_7d' },
    { column: 'delay', function: percentile(0.95), window: sliding('7d'), name: 'delay_p95_7d' },
    { column: 'late', function: 'mean', window: sliding('7d'), name: 'late_share_7d' },
  ],
  description: 'How flights have left an airport in the last hour, day and week',
  tags: { team: 'flights' },
});

/** A flight that leaves an hour late, and what follows within three hours of it. */
export const disruptions = windowedFeatureView({
  name: 'airport_disruptions',
  entities: [airport],
  source: flights,
  where: (row) => row.delay !== null && row.delay >= 60,
  aggregations: [
    { function: 'count', window: session('3h'), name: 'disrupted_flights' },
    { column: 'delay', function: 'max', window: session('3h'), name: 'worst_delay' },
    { function: 'timeSinceLast', window: session('3h'), name: 'seconds_since' },
  ],
  description: 'The newest run of flights that left an hour late or more',
});

export const departure = onDemandFeatureView({
  name: 'departure',
  sources: [airportStats],
  schema: { late: 'bool' },
  transform: (row) => ({ late: row.delay === null ? null : row.delay > 15 }),
  description: 'Late as the airlines count it: more than a quarter of an hour',
});

export const delayModel = featureService({
  name: 'delay_model',
  features: [
    airportStats.select('delay', 'distance').withName('origin_stats'),
    airportStats
      .select('delay')
      .withName('destination_stats')
      .withJoinKeyMap({ origin: 'destination' }),
  ],
  description: 'What a model of flight delays knows before departure',
});

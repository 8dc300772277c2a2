/**
 * Three million US flights of January to June 2001, as a stream of events keyed by origin airport.
 * One view describes an airport; the model reads it twice, for both ends of a flight.
 */
import {
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  topicSource,
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

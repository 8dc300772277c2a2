/** Freshet's side of the comparison with Quix Streams, and the topic that both read. */
import { quoteLiteral } from '../../src/duckdb/index.ts';
import {
  entity,
  type FeatureStore,
  openFeatureStore,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';
import { FLIGHTS } from '../flights.ts';
import { type CellResult, rssMb, timed } from './measure.ts';

export const STREAM_TOPIC = 'peers-flights';
export const STREAM_ROWS = 500_000;
const RESULT_TOPIC = 'peers-hourly';

const airport = entity({ name: 'airport', joinKeys: { origin: 'string' } });
const stream = topicSource({
  name: 'stream',
  topic: STREAM_TOPIC,
  format: 'json',
  schema: { at: 'timestamp', at_ms: 'int64', origin: 'string', delay: 'int32' },
  timestampField: 'at',
  keyFields: ['origin'],
  partitions: 4,
  maxAheadMs: 0,
});
const hourly = windowedFeatureView({
  name: 'hourly',
  entities: [airport],
  source: stream,
  aggregations: [
    { function: 'count', window: tumbling('1h'), name: 'flights' },
    { column: 'delay', function: 'mean', window: tumbling('1h'), name: 'mean_delay' },
  ],
  emit: { topic: RESULT_TOPIC, mode: 'final' },
});

/** The time is from the start of the engine until both stores have the last row. */
export function runStreamCell(directory: string, broker: string): Promise<CellResult> {
  return withStore(broker, directory, async (store) => {
    await store.apply();
    const before = await resultEnds(store);
    const seconds = await timed(async () => {
      const engine = await store.startEngine();
      await engine.caughtUp();
    });
    await store.stopEngine();
    return { seconds, rssMb: rssMb(), answer: await sumResults(store, before) };
  });
}

/** Sends the flights in the order of their time. */
export async function fillTopic(broker: string, directory: string): Promise<void> {
  await withStore(broker, directory, async (store) => {
    await store.apply();
    const duckdb = await store.resources.duckdb();
    const rows = await duckdb.query(
      `SELECT epoch_us(date)::DOUBLE AS us, origin, delay FROM read_parquet(${quoteLiteral(FLIGHTS)}) ` +
        `WHERE delay IS NOT NULL ORDER BY date LIMIT ${STREAM_ROWS}`,
    );
    await using producer = await store.producer(stream);
    for (let from = 0; from < rows.length; from += 5_000) {
      await producer.send(
        rows.slice(from, from + 5_000).map(({ us, origin, delay }) => ({
          at: Number(us),
          at_ms: BigInt(Math.floor(Number(us) / 1_000)),
          origin: String(origin),
          delay: Number(delay),
        })),
      );
    }
  });
}

/** Windows, rows in them, and the sum of their delays, of results behind `from`. */
async function sumResults(store: FeatureStore, from: readonly number[]): Promise<number[]> {
  const log = await store.resources.log();
  const ends = await resultEnds(store);
  let [windows, counted, delay] = [0, 0, 0];
  for (const [partition, end] of ends.entries()) {
    let next = from[partition] as number;
    await using reader = await log.assign([{ topic: RESULT_TOPIC, partition, offset: next }]);
    while (next < end) {
      for (const batch of await reader.poll({ waitMs: 1_000 })) {
        for (const value of batch.values) {
          const { flights, mean_delay } = JSON.parse(Buffer.from(value as Uint8Array).toString());
          windows++;
          counted += flights;
          delay += mean_delay * flights;
        }
        next = batch.nextOffset;
      }
    }
  }
  return [windows, counted, Math.round(delay)];
}

async function resultEnds(store: FeatureStore): Promise<number[]> {
  const log = await store.resources.log();
  const { partitions } = await log.describeTopic(RESULT_TOPIC);
  const places = Array.from({ length: partitions }, (_, partition) => ({
    topic: RESULT_TOPIC,
    partition,
  }));
  return (await log.watermarks(places)).map(({ end }) => end);
}

async function withStore<T>(
  broker: string,
  directory: string,
  use: (store: FeatureStore) => Promise<T>,
): Promise<T> {
  const log = { type: 'kafka' as const, brokers: [broker] };
  await using store = await openFeatureStore({
    directory,
    definitions: [airport, stream, hourly],
    config: { project: 'peers', log },
  });
  return await use(store);
}

/** Freshet's side of the comparisons. */

import { fileURLToPath } from 'node:url';
import { quoteLiteral } from '../../src/duckdb/index.ts';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  parquetSource,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';

/** What one side of the comparison with Feast measures. */
export interface FeastJob {
  readonly materializeSeconds: number;
  readonly joinSeconds: number;
  readonly joinRssMb: number;
  readonly matches: number;
  readonly sum: number;
  /** Microseconds, p50 and p99, of one entity and of a hundred. */
  readonly onlineOne: readonly [number, number];
  readonly onlineHundred: readonly [number, number];
  readonly onlineSum: number;
}

/** What one side of the comparison with Quix Streams measures. */
export interface QuixJob {
  readonly seconds: number;
  readonly windows: number;
  /** Rows in these windows. */
  readonly counted: number;
}

export const STREAM_TOPIC = 'peers-flights';
export const STREAM_ROWS = 500_000;

const FLIGHTS = fileURLToPath(
  new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url),
);
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
  emit: { topic: 'peers-hourly', mode: 'final' },
});

export async function runFeastJob(
  directory: string,
  rows: string,
  labels: string,
  reads: number,
): Promise<FeastJob> {
  const source = parquetSource({
    name: 'rows',
    path: rows,
    schema: { date: 'timestamp', origin: 'string', delay: 'int32', distance: 'int32' },
    timestampField: 'date',
  });
  const schema = { delay: 'int32', distance: 'int32' } as const;
  const stats = featureView({ name: 'stats', entities: [airport], source, schema });
  const definitions = [airport, source, stats];
  const config = { project: 'peers' };
  await using store = await openFeatureStore({ directory, definitions, config });
  await store.apply();
  const materializeSeconds = await timed(() =>
    store.materialize({ startTime: '2001-01-01', endTime: '2001-07-02' }),
  );
  const joined = await joinLabels(store, labels);
  const joinRssMb = Math.round(process.resourceUsage().maxRSS / 1_024);
  const read = (count: number) => (i: number) =>
    store.getOnlineFeatures({
      features: [stats],
      entityRows: Array.from({ length: count }, (_, k) => ({
        origin: joined.airports[(i + k) % joined.airports.length] as string,
      })),
    });
  const onlineOne = await percentiles(read(1), reads);
  const onlineHundred = await percentiles(read(100), reads / 10);
  const answer = (await read(200)(0)).rows;
  const onlineSum = answer.reduce((all, row) => all + Number(row.delay) + Number(row.distance), 0);
  const { seconds: joinSeconds, matches, sum } = joined;
  const join = { joinSeconds, joinRssMb, matches, sum };
  return { materializeSeconds, ...join, onlineOne, onlineHundred, onlineSum };
}

async function joinLabels(
  store: FeatureStore,
  labels: string,
): Promise<{ seconds: number; matches: number; sum: number; airports: string[] }> {
  let matches = 0;
  let sum = 0;
  const airports = new Set<string>();
  const seconds = await timed(async () => {
    await using joined = await store.getHistoricalFeatures({
      features: ['stats:delay', 'stats:distance'],
      entityRows: { parquet: labels },
    });
    for await (const row of joined) {
      const { origin, delay, distance } = row as unknown as Record<string, number>;
      airports.add(String(origin));
      if (delay === null || delay === undefined) continue;
      matches++;
      sum += delay + (distance as number);
    }
  });
  return { seconds, matches, sum, airports: [...airports].sort() };
}

export async function fillTopic(broker: string, directory: string): Promise<void> {
  await withStream(broker, directory, async (store) => {
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

export async function runQuixJob(directory: string, broker: string): Promise<QuixJob> {
  return withStream(broker, directory, async (store) => {
    await store.apply();
    const seconds = await timed(async () => {
      const engine = await store.startEngine();
      await engine.caughtUp();
    });
    await store.stopEngine();
    const log = await store.resources.log();
    const { partitions } = await log.describeTopic('peers-hourly');
    let windows = 0;
    let counted = 0;
    for (let partition = 0; partition < partitions; partition++) {
      const tp = { topic: 'peers-hourly', partition };
      const [marks] = await log.watermarks([tp]);
      await using reader = await log.assign([{ ...tp, offset: marks?.start ?? 0 }]);
      for (let next = marks?.start ?? 0; next < (marks?.end ?? 0); ) {
        for (const batch of await reader.poll({ waitMs: 1_000 })) {
          for (const value of batch.values) {
            windows++;
            counted += JSON.parse(Buffer.from(value as Uint8Array).toString()).flights;
          }
          next = batch.nextOffset;
        }
      }
    }
    return { seconds, windows, counted };
  });
}

async function withStream<T>(
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

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1_000;
}

async function percentiles(
  work: (i: number) => Promise<unknown>,
  count: number,
): Promise<[number, number]> {
  for (let i = 0; i < 50; i++) await work(i);
  const times: number[] = [];
  for (let i = 0; i < count; i++) times.push((await timed(() => work(i))) * 1e6);
  times.sort((a, b) => a - b);
  const at = (part: number): number =>
    Math.round((times[Math.floor(count * part)] as number) * 10) / 10;
  return [at(0.5), at(0.99)];
}

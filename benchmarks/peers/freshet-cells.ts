/** Freshet's side of the comparison with Feast: one cell, run in a process of its own. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  parquetSource,
} from '../../src/index.ts';
import { type CellResult, percentiles, rssMb, timed } from './measure.ts';

const airport = entity({ name: 'airport', joinKeys: { origin: 'string' } });
const flight = entity({ name: 'flight', joinKeys: { flight_id: 'int64' } });
const COLUMNS = { delay: 'int32', distance: 'int32' } as const;
const FEATURES = ['stats:delay', 'stats:distance'] as const;

/**
 * `directory` keeps its online store from cell to cell: the online reads are of what was
 * materialized before. `inputs` is the folder that `writeInputs` filled.
 */
export async function runFreshetCell(
  cell: string,
  directory: string,
  inputs: string,
): Promise<CellResult> {
  const timestampField = 'date';
  const rows = parquetSource({
    name: 'rows',
    path: join(inputs, 'rows.parquet'),
    schema: { date: 'timestamp', origin: 'string', ...COLUMNS },
    timestampField,
  });
  const flights = parquetSource({
    name: 'flights',
    path: join(inputs, 'flights.parquet'),
    schema: { date: 'timestamp', flight_id: 'int64', ...COLUMNS },
    timestampField,
  });
  const ofAirport = { entities: [airport], source: rows, schema: COLUMNS };
  const stats = featureView({ name: 'stats', ...ofAirport });
  const recent = featureView({ name: 'recent', ...ofAirport, ttl: '12h' });
  const legs = featureView({ name: 'legs', entities: [flight], source: flights, schema: COLUMNS });
  const uncached = { onlineStore: { cacheBytesMax: 0 } };
  await using store = await openFeatureStore({
    directory,
    definitions: [airport, flight, rows, flights, stats, recent, legs],
    config: { project: 'peers', ...(cell === 'online-uncached' ? uncached : {}) },
  });
  await store.apply();
  return await runIn(store, cell, inputs);
}

async function runIn(store: FeatureStore, cell: string, inputs: string): Promise<CellResult> {
  switch (cell) {
    case 'materialize':
      return materialize(store, 'stats');
    case 'materialize-many':
      return materialize(store, 'legs');
    case 'join':
      return joinLabels(store, 'stats', join(inputs, 'labels.parquet'));
    case 'join-ttl':
      return joinLabels(store, 'recent', join(inputs, 'labels-many.parquet'));
    case 'online':
    case 'online-uncached':
      return readOnline(store, JSON.parse(await readFile(join(inputs, 'airports.json'), 'utf8')));
    default:
      throw new Error(`there is no cell ${cell}`);
  }
}

async function materialize(store: FeatureStore, view: string): Promise<CellResult> {
  const range = { startTime: '2001-01-01', endTime: '2001-07-02' };
  const seconds = await timed(() => store.materialize({ ...range, views: [view] }));
  return { seconds, rssMb: rssMb(), answer: [] };
}

async function joinLabels(store: FeatureStore, view: string, labels: string): Promise<CellResult> {
  let matches = 0;
  let sum = 0;
  const seconds = await timed(async () => {
    await using joined = await store.getHistoricalFeatures({
      features: [`${view}:delay`, `${view}:distance`],
      entityRows: { parquet: labels },
    });
    for await (const row of joined) {
      const { delay, distance } = row as { delay?: number | null; distance?: number };
      if (delay === null || delay === undefined) continue;
      matches++;
      sum += delay + (distance as number);
    }
  });
  return { seconds, rssMb: rssMb(), answer: [matches, sum] };
}

async function readOnline(store: FeatureStore, airports: readonly string[]): Promise<CellResult> {
  const read = (count: number) => (i: number) =>
    store.getOnlineFeatures({
      features: FEATURES,
      entityRows: Array.from({ length: count }, (_, k) => ({
        origin: airports[(i + k) % airports.length] as string,
      })),
    });
  const one = await percentiles(read(1), 2_000);
  const hundred = await percentiles(read(100), 500);
  const { rows } = await read(airports.length)(0);
  const sum = rows.reduce((all, row) => all + Number(row['delay']) + Number(row['distance']), 0);
  return { one, hundred, rssMb: rssMb(), answer: [sum] };
}

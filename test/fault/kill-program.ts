/**
 * What `quickstart-kill.test.ts` kills: rows of a Parquet file into the log, and the engine until it
 * has caught up. It prints a line for each step, so that a step can be chosen to be killed at.
 */
import { join } from 'node:path';
import {
  entity,
  featureView,
  lifetime,
  openFeatureStore,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';
import { produceRows, readRows, skipRows } from '../../src/producer/index.ts';
import { channels } from '../../src/telemetry/index.ts';

export const SOURCE = topicSource({
  name: 'events',
  topic: 'events',
  schema: { seen_at: 'timestamp', id: 'int64', key: 'int32', value: 'float64' },
  timestampField: 'seen_at',
  keyFields: ['key'],
  outOfOrderMs: 60_000,
});

const thing = entity({ name: 'thing', joinKeys: { key: 'int32' } });
const newest = featureView({
  name: 'newest',
  entities: [thing],
  source: SOURCE,
  schema: { id: 'int64', value: 'float64' },
});
/** A row that is applied twice counts twice here. */
const totals = windowedFeatureView({
  name: 'totals',
  entities: [thing],
  source: SOURCE,
  aggregations: [
    { function: 'count', window: lifetime(), name: 'row_count' },
    { column: 'id', function: 'sum', window: lifetime(), name: 'id_sum' },
    { column: 'value', function: 'mean', window: lifetime(), name: 'value_mean' },
  ],
});
export const VIEWS = [newest, totals];

/** Small batches and segments: many steps of the commit for few rows. */
export const CONFIG = {
  project: 'killed',
  engine: { batchRecordsMax: 512 },
  offlineStore: { segmentRowsMax: 4_000 },
};

if (process.argv[2] !== undefined) await main(process.argv[2]);

async function main(directory: string): Promise<void> {
  tell('ready');
  channels.batch.subscribe(() => tell('batch'));
  channels.segment.subscribe(() => tell('segment'));
  await using store = await openFeatureStore({ directory, definitions: VIEWS, config: CONFIG });
  await store.apply();
  await produce(store, join(directory, 'input.parquet'));
  const engine = await store.startEngine();
  await engine.caughtUp();
  await store.stopEngine();
}

async function produce(
  store: Awaited<ReturnType<typeof openFeatureStore>>,
  path: string,
): Promise<void> {
  const [status] = await store.status();
  const before = (status?.partitions ?? []).reduce((sum, { end }) => sum + end, 0);
  const duckdb = await store.resources.duckdb();
  const reader = await readRows({ input: { format: 'parquet', path }, source: SOURCE, duckdb });
  await using producer = await store.producer(SOURCE);
  await produceRows({
    producer,
    reader: skipRows(reader, before),
    strict: true,
    onProgress: () => tell('produced'),
  });
}

function tell(step: string): void {
  process.stdout.write(`${step}\n`);
}

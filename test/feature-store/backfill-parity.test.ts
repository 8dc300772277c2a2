/**
 * The same rows give the same values, however they came: all of a topic, all of files, or some of
 * each, files first or last; online and for training.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import {
  entity,
  featureView,
  lastN,
  lastRows,
  lifetime,
  openFeatureStore,
  parquetSource,
  session,
  sliding,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_261_126);
const NOW_MS = Date.parse('2026-03-01T00:00:00Z');
const FIRST_US = Date.parse('2026-01-01T00:00:00Z') * 1_000;
const HOUR_US = 3_600_000_000;
const HOURS = 24 * 14;

const schema = { id: 'int32', at: 'timestamp', made: 'timestamp', amount: 'float64' } as const;
const times = { timestampField: 'at', createdTimestampField: 'made' } as const;
const files = parquetSource({ name: 'files', path: 'history', schema, ...times });
const topic = topicSource({
  name: 'orders',
  topic: 'orders',
  format: 'json',
  schema,
  ...times,
  keyFields: ['id'],
  partitions: 2,
});
const customer = entity({ name: 'customer', joinKeys: { id: 'int32' } });
const common = { entities: [customer], source: topic, batchSource: files } as const;
const newest = featureView({ ...common, name: 'newest', schema: { amount: 'float64' } });
const windows = windowedFeatureView({
  ...common,
  name: 'windows',
  // No row is late: what is late depends on the order in which rows come.
  grace: '60d',
  aggregations: [
    { function: 'count', window: sliding('3d', { exact: true }), name: 'count_3d' },
    { column: 'amount', function: 'sum', window: sliding('7d'), name: 'sum_7d' },
    { column: 'amount', function: 'mean', window: tumbling('1d'), name: 'mean_1d' },
    { column: 'amount', function: 'max', window: session('6h'), name: 'max_session' },
    { column: 'amount', function: 'stddevSample', window: lifetime(), name: 'stddev' },
    { column: 'amount', function: lastN(3), window: lastRows(5), name: 'last_3' },
  ],
});
const FEATURES = ['newest:amount', ...Object.keys(windows.schema).map((name) => `windows:${name}`)];

interface Row {
  readonly id: number;
  readonly hour: number;
  readonly amount: number;
  readonly inFile: boolean;
}

describe(`rows of files and of a topic (seed ${SEED})`, () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-parity-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('give the same values online and for training, wherever each row came from', async () => {
    const row = fc.record({
      id: fc.integer({ min: 1, max: 4 }),
      hour: fc.nat(HOURS),
      amount: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      inFile: fc.boolean(),
    });
    const labels = fc.array(
      fc.record({ id: fc.integer({ min: 1, max: 5 }), hour: fc.nat(HOURS + 24) }),
      { minLength: 1, maxLength: 20 },
    );
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 60 }),
        labels,
        async (rows, asked) => {
          const run = (place: string, fromFile: (row: Row) => boolean, filesFirst: boolean) =>
            valuesOf(join(folder, `${runs}-${place}`), rows, fromFile, filesFirst, asked);
          runs++;
          const streamed = await run('topic', () => false, true);
          expect(await run('files', () => true, true)).toEqual(streamed);
          expect(await run('mixed', ({ inFile }) => inFile, true)).toEqual(streamed);
          expect(await run('after', ({ inFile }) => inFile, false)).toEqual(streamed);
        },
      ),
      { seed: SEED, numRuns: 4 },
    );
  }, 120_000);
});

type Label = Pick<Row, 'id' | 'hour'>;

async function valuesOf(
  directory: string,
  rows: readonly Row[],
  fromFile: (row: Row) => boolean,
  filesFirst: boolean,
  labels: readonly Label[],
): Promise<unknown> {
  await mkdir(join(directory, 'history'), { recursive: true });
  await using store = await openFeatureStore({
    directory,
    definitions: [newest, windows],
    config: { project: 'parity' },
    clock: new ManualClock(NOW_MS),
  });
  await store.apply();
  const numbered = rows.map((row, i) => ({ ...row, made: NOW_MS * 1_000 + i }));
  const stream = async (): Promise<void> => {
    await using producer = await store.producer(topic);
    const streamed = numbered.filter((row) => !fromFile(row));
    await producer.send(
      streamed.map(({ id, hour, made, amount }) => ({ id, at: timeUs(hour), made, amount })),
    );
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  };
  const load = async (): Promise<void> => {
    const kept = numbered.filter(fromFile);
    if (kept.length === 0) return;
    const duckdb = await store.resources.duckdb();
    const values = kept.map(
      ({ id, hour, made, amount }) =>
        `(${id}, make_timestamp(${timeUs(hour)}), make_timestamp(${made}), ${amount}::DOUBLE)`,
    );
    await duckdb.run(
      `COPY (SELECT * FROM (VALUES ${values.join(', ')}) t(id, "at", made, amount)) TO '${join(directory, 'in.parquet')}' (FORMAT parquet)`,
    );
    await store.backfill({ source: 'files', files: ['in.parquet'] });
  };
  for (const step of filesFirst ? [load, stream] : [stream, load]) await step();
  expect((await store.verify()).same).toBe(true);
  const online = await store.getOnlineFeatures({
    features: FEATURES,
    entityRows: [1, 2, 3, 4, 5].map((id) => ({ id })),
  } as never);
  await using joined = await store.getHistoricalFeatures({
    features: FEATURES,
    entityRows: labels.map(({ id, hour }) => ({
      id,
      event_timestamp: new Date(timeUs(hour) / 1_000),
    })),
  } as never);
  const { values, statuses, eventTimestamps } = online.toColumns();
  return { values, statuses, eventTimestamps, joined: await joined.toArray() };
}

function timeUs(hour: number): number {
  return FIRST_US + hour * HOUR_US;
}

/**
 * Three million rows of a foreign Parquet file into history and the online store: rows a second of
 * each half, beside DuckDB's own read and copy of the same file in the same run. Flights of few
 * airports, and made-up rows of many entities; newest rows, and windows.
 *
 *     npx tsx benchmarks/backfill.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  parquetSource,
  sliding,
  windowedFeatureView,
} from '../src/index.ts';
import { FLIGHTS } from './flights.ts';

const ROWS = 3_000_000;
const ENTITIES = 300_000;

const history = parquetSource({
  name: 'history',
  path: 'history',
  schema: {
    departed_at: 'timestamp',
    origin: 'string',
    destination: 'string',
    delay: 'int32',
    distance: 'int32',
  },
  timestampField: 'departed_at',
});
const airport = entity({ name: 'airport', joinKeys: { origin: 'string' } });
const last = featureView({
  name: 'newest',
  entities: [airport],
  source: history,
  schema: { delay: 'int32', destination: 'string' },
});
const delays = windowedFeatureView({
  name: 'windows',
  entities: [airport],
  source: history,
  aggregations: [
    { function: 'count', window: sliding('1d'), name: 'flights_1d' },
    { column: 'delay', function: 'mean', window: sliding('7d'), name: 'delay_7d' },
  ],
});

const directory = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
try {
  console.log('Flights, 229 airports');
  await measure('flights', FLIGHTS, { departed_at: 'date' });
  const many = join(directory, 'many.parquet');
  await withStore('made', (store) => writeMany(store, many));
  console.log(`Made up, ${ENTITIES.toLocaleString('en-US')} entities`);
  await measure('many', many, {});
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function measure(name: string, file: string, columns: Record<string, string>): Promise<void> {
  await withStore(name, async (store) => {
    const duckdb = await store.resources.duckdb();
    const read = `FROM read_parquet('${file}')`;
    const readMs = await timed(async () => {
      for await (const chunk of duckdb.stream(read)) {
        for (let c = 0; c < chunk.names.length; c++) chunk.column(c);
      }
    });
    const copy = join(directory, `${name}.copy`);
    const copyMs = await timed(() =>
      duckdb.run(`COPY (${read}) TO '${copy}' (FORMAT parquet, COMPRESSION zstd)`),
    );
    tell('bare: DuckDB reads it, column by column', readMs);
    tell('bare: DuckDB copies it', copyMs);
    const options = { source: 'history', files: [file], columns };
    const historyMs = await timed(() => store.backfill({ ...options, into: 'history' }));
    tell('into history, checked row by row', historyMs);
    for (const view of ['newest', 'windows']) {
      const range = { startTime: '2000-01-01', endTime: '2030-01-01' };
      const onlineMs = await timed(() => store.materialize({ ...range, views: [view] }));
      tell(`online: ${view}`, onlineMs);
      tell(`both: history and ${view}`, historyMs + onlineMs, readMs);
    }
  });
}

async function withStore(
  name: string,
  work: (store: FeatureStore) => Promise<void>,
): Promise<void> {
  const definitions = [last, delays];
  const config = { project: 'bench' };
  const folder = join(directory, name);
  await using store = await openFeatureStore({ directory: folder, definitions, config });
  await store.apply();
  await work(store);
}

async function writeMany(store: FeatureStore, path: string): Promise<void> {
  const duckdb = await store.resources.duckdb();
  await duckdb.run(
    `COPY (SELECT TIMESTAMP '2026-01-01' + to_seconds(i // 20) AS departed_at,
       'entity ' || hash(i) % ${ENTITIES} AS origin, 'place ' || i % 300 AS destination,
       (hash(i, 1) % 200)::INT AS delay, (hash(i, 2) % 5000)::INT AS distance
     FROM range(${ROWS}) t(i)) TO '${path}' (FORMAT parquet)`,
  );
}

function tell(what: string, ms: number, bareMs?: number): void {
  const perSecond = Math.round((ROWS * 1_000) / ms).toLocaleString('en-US');
  const ratio = bareMs === undefined ? '' : `  ${(ms / bareMs).toFixed(1)} × the bare read`;
  console.log(
    `  ${what.padEnd(40)} ${perSecond.padStart(10)} rows/s  ${(ms / 1_000).toFixed(1)} s${ratio}`,
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

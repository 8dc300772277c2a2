/**
 * Three million flights from a foreign Parquet file into history and the online store: rows a second
 * of each half, beside DuckDB's own copy of the same file in the same run.
 *
 *     npx tsx benchmarks/backfill.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { entity, featureView, openFeatureStore, parquetSource } from '../src/index.ts';

const FLIGHTS = fileURLToPath(
  new URL('../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url),
);
const ROWS = 3_000_000;

const airport = entity({ name: 'airport', joinKeys: { origin: 'string' } });
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
const last = featureView({
  name: 'last_flight',
  entities: [airport],
  source: history,
  schema: { delay: 'int32', destination: 'string' },
});

const directory = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
const store = await openFeatureStore({
  directory,
  definitions: [airport, history, last],
  config: { project: 'bench' },
});
try {
  await store.apply();
  const duckdb = await store.resources.duckdb();
  const bareMs = await timed(() =>
    duckdb.run(
      `COPY (FROM read_parquet('${FLIGHTS}')) TO '${join(directory, 'bare.parquet')}' (FORMAT parquet, COMPRESSION zstd)`,
    ),
  );
  const options = { source: 'history', files: [FLIGHTS], columns: { departed_at: 'date' } };
  const historyMs = await timed(() => store.backfill({ ...options, into: 'history' }));
  const onlineMs = await timed(() => store.backfill(options));
  tell('bare: DuckDB copies the file', bareMs);
  tell('into history, checked row by row', historyMs);
  tell('into the online store', onlineMs);
  tell('both', historyMs + onlineMs);
} finally {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}

function tell(what: string, ms: number): void {
  const perSecond = Math.round((ROWS * 1_000) / ms).toLocaleString('en-US');
  console.log(
    `  ${what.padEnd(34)} ${perSecond.padStart(10)} rows/s  ${(ms / 1_000).toFixed(1)} s`,
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

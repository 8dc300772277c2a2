/**
 * The historical join against the best plan written by hand: a million labels, sampled with a seed,
 * against three million flights, to a Parquet file. Ours includes reading the labels, counting,
 * planning and checking; theirs is told the plan. Each cell is a fresh process, so that its peak
 * memory is its own; ours and theirs take turns.
 *
 *     npx tsx benchmarks/join.ts [rounds, default 3]
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/core/clock.ts';
import { type Duration, parseDurationUs } from '../src/core/time.ts';
import { buildCatalog, entity, featureView, parquetSource } from '../src/definition/index.ts';
import { type Duckdb, openDuckdb, quoteLiteral } from '../src/duckdb/index.ts';
import { createHistoricalReader, createRowsOf } from '../src/join/index.ts';
import { localFiles } from '../src/segment/index.ts';
import { FLIGHTS as flights } from './flights.ts';

const LABELS = 1_000_000;
const SEED = 7;
const MEMORY_LIMIT_BYTES = 512 * 1024 * 1024;
/** At ten minutes the range plan is chosen, at the others the ASOF plan. */
const TTLS: readonly Duration[] = ['10m', '12h', '30d'];
const RATIO_MAX = 1.3;
const RSS_MB_MAX = 1_000;

interface Cell {
  readonly ms: number;
  readonly rssMb: number;
  /** Rows, matches and sums of the answer: both must agree. */
  readonly answer: string;
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'cell') await runCell(rest[0] as string, rest[1] as Duration, rest[2] as string);
else await compare(Number(first ?? 3));

async function compare(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
  try {
    const labels = join(folder, 'labels.parquet');
    await writeLabels(folder, labels);
    for (const ttl of TTLS) {
      const cells: Record<string, Cell[]> = { ours: [], theirs: [] };
      for (let round = 0; round < rounds; round++) {
        for (const side of ['ours', 'theirs']) cells[side]?.push(spawnCell(side, ttl, labels));
      }
      report(ttl, cells['ours'] as Cell[], cells['theirs'] as Cell[]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(ttl: string, ours: readonly Cell[], theirs: readonly Cell[]): void {
  const answers = new Set([...ours, ...theirs].map(({ answer }) => answer));
  if (answers.size !== 1) throw new Error(`answers differ: ${[...answers].join(' | ')}`);
  const ratio = median(ours.map(({ ms }) => ms)) / median(theirs.map(({ ms }) => ms));
  const rssMb = Math.max(...ours.map((cell) => cell.rssMb));
  const side = (name: string, cells: readonly Cell[]): string =>
    `${name} ${Math.round(median(cells.map(({ ms }) => ms)))} ms [${cells
      .map(({ ms }) => Math.round(ms))
      .join(' ')}], peak ${Math.max(...cells.map((cell) => cell.rssMb))} MB`;
  console.log(
    `TTL ${ttl}: ${side('ours', ours)}; ${side('theirs', theirs)}; ratio ${ratio.toFixed(2)}`,
  );
  if (ratio > RATIO_MAX || rssMb > RSS_MB_MAX) process.exitCode = 1;
}

async function writeLabels(folder: string, path: string): Promise<void> {
  await using duckdb = await open(folder);
  await duckdb.run(`COPY (
    SELECT origin, date + to_minutes((hash(n + ${SEED}) % 600)::INT) AS event_timestamp, n AS label
    FROM (SELECT origin, date, file_row_number AS n FROM read_parquet(${quoteLiteral(flights)}))
    ORDER BY hash(n * 31 + ${SEED}) LIMIT ${LABELS}
  ) TO ${quoteLiteral(path)} (FORMAT parquet)`);
}

function spawnCell(side: string, ttl: string, labels: string): Cell {
  const script = fileURLToPath(import.meta.url);
  const args = [...process.execArgv, script, 'cell', side, ttl, labels];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Cell;
}

async function runCell(side: string, ttl: Duration, labels: string): Promise<void> {
  const folder = dirname(labels);
  const target = join(folder, `${side}.parquet`);
  const duckdb = await open(folder);
  const start = performance.now();
  if (side === 'ours') await joinOurs(duckdb, ttl, labels, target);
  else await joinByHand(duckdb, ttl, labels, target);
  const ms = performance.now() - start;
  const rssMb = Math.round(process.resourceUsage().maxRSS / 1_024);
  const [answer] = await duckdb.query(
    `SELECT count(*) AS n, count(delay) AS matches, sum(delay * (file_row_number % 97)) AS delays,
       sum(distance) AS distances, sum(label * (file_row_number % 89)) AS labels
     FROM read_parquet(${quoteLiteral(target)})`,
  );
  await duckdb.close();
  console.log(JSON.stringify({ ms, rssMb, answer: Object.values(answer ?? {}).join(' ') }));
}

async function joinOurs(
  duckdb: Duckdb,
  ttl: Duration,
  labels: string,
  target: string,
): Promise<void> {
  const view = featureView({
    name: 'airport',
    entities: [entity({ name: 'airport', joinKeys: { origin: 'string' } })],
    source: parquetSource({
      name: 'flights',
      path: flights,
      schema: { date: 'timestamp', origin: 'string', delay: 'int32', distance: 'int32' },
      timestampField: 'date',
    }),
    schema: { delay: 'int32', distance: 'int32' },
    ttl,
  });
  const reader = createHistoricalReader({
    duckdb,
    clock: systemClock,
    catalog: buildCatalog([view]),
    rowsOf: createRowsOf({
      duckdb,
      baseDirectory: '.',
      segmentFiles: localFiles('.'),
      segmentsOf: async () => [],
    }),
  });
  await using features = await reader.getHistoricalFeatures({
    features: [view],
    entityRows: { parquet: labels },
  });
  if (process.env['EXPLAIN']) console.error(features.explain().text);
  await features.toParquet(target);
}

/** ASOF on a key that no two rows share, one row a label into a table, then put beside the labels. */
async function joinByHand(
  duckdb: Duckdb,
  ttl: Duration,
  labels: string,
  target: string,
): Promise<void> {
  const ttlUs = parseDurationUs(ttl);
  const fresh = `f.date >= l.event_timestamp - to_microseconds(${ttlUs})`;
  await duckdb.run(`CREATE TEMP TABLE labels AS
    SELECT row_number() OVER () AS label_id, * FROM read_parquet(${quoteLiteral(labels)})`);
  await duckdb.run(`CREATE TEMP TABLE joined AS
    SELECT l.label_id, CASE WHEN ${fresh} THEN f.delay END AS delay,
      CASE WHEN ${fresh} THEN f.distance END AS distance
    FROM (SELECT *, row(event_timestamp, 9223372036854775807) AS k FROM labels) l
    ASOF LEFT JOIN (
      SELECT *, row(date, file_row_number) AS k FROM read_parquet(${quoteLiteral(flights)})
    ) f ON l.origin = f.origin AND l.k >= f.k`);
  await duckdb.run(`COPY (
    SELECT l.* EXCLUDE (label_id), j.delay, j.distance
    FROM labels l LEFT JOIN joined j USING (label_id) ORDER BY label_id
  ) TO ${quoteLiteral(target)} (FORMAT parquet, COMPRESSION zstd)`);
}

function open(folder: string): Promise<Duckdb> {
  return openDuckdb({
    memoryLimitBytes: MEMORY_LIMIT_BYTES,
    threads: 2,
    tempDirectory: join(folder, 'spill'),
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

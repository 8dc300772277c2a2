/**
 * Side by side with peers, on the same data and machine in the same run: Feast (materialize, online
 * reads, a point-in-time join) and Quix Streams (windows from Kafka). It installs them itself, into
 * the user's cache folder, and says what it skips where Python, Java or Maven is missing.
 *
 *     npm run bench:peers
 *
 * Each side is a process of its own. Rows are one a minute and airport, so that no two rows tie:
 * Feast does not say which of two it takes. Answers are compared.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startDevKafka } from '../../connectors/kafka-dev/index.ts';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { FreshetError } from '../../src/index.ts';
import {
  type FeastJob,
  fillTopic,
  type QuixJob,
  runFeastJob,
  runQuixJob,
  STREAM_ROWS,
  STREAM_TOPIC,
} from './ours.ts';

const run = promisify(execFile);
const PACKAGES = ['feast[duckdb]==0.67.0', 'quixstreams==3.28.1'];
const FLIGHTS = fileURLToPath(
  new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url),
);
/**
 * Feast pairs each label with every row of its entity before it looks at times: at 100,000 labels its
 * file store asks for 30 GB, and its DuckDB store fills the disk.
 */
const LABELS = 2_000;
const LABELS_MANY = 100_000;
const READS = 1_000;

const [first, ...rest] = process.argv.slice(2);
if (first === 'feast-job')
  print(await runFeastJob(rest[0] as string, rest[1] as string, rest[2] as string, READS));
else if (first === 'quix-job') print(await runQuixJob(rest[0] as string, rest[1] as string));
else await compare();

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-peers-'));
  try {
    const python = await install();
    if (python === null) return;
    await besideFeast(folder, python);
    await besideQuix(folder, python);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The Python that has the peers; null, with the reason told, where it cannot be had. */
async function install(): Promise<string | null> {
  const venv = join(
    homedir(),
    '.cache',
    'freshet',
    `peers-${PACKAGES.join('-').replaceAll(/[^a-z0-9.-]/g, '')}`,
  );
  const python = join(venv, 'bin', 'python');
  try {
    if (!existsSync(python)) await run('python3', ['-m', 'venv', venv]);
    await run(python, ['-m', 'pip', 'install', '--quiet', ...PACKAGES]);
    return python;
  } catch (thrown) {
    rmSync(venv, { recursive: true, force: true });
    console.log(
      `skipped: the peers cannot be installed: ${(thrown as Error).message.split('\n')[0]}`,
    );
    return null;
  }
}

async function besideFeast(folder: string, python: string): Promise<void> {
  const rows = join(folder, 'rows.parquet');
  const [labels, many] = [LABELS, LABELS_MANY].map((n) => join(folder, `labels-${n}.parquet`)) as [
    string,
    string,
  ];
  const rowCount = await writeInputs(rows, [labels, many]);
  const places = ['ours', 'theirs'].map((side) => join(folder, side));
  for (const place of places) mkdirSync(place);
  const ours = await ownProcess<FeastJob>(['feast-job', places[0] as string, rows, labels]);
  rmSync(join(places[0] as string, 'data'), { recursive: true });
  const alone = await ownProcess<FeastJob>(['feast-job', places[0] as string, rows, many]);
  const theirs = await peer<FeastJob>(python, 'feast_peer.py', [
    places[1] as string,
    rows,
    labels,
    String(READS),
  ]);
  requireSame('the join', [ours.matches, ours.sum], [theirs.matches, theirs.sum]);
  requireSame('the online reads', [ours.onlineSum], [theirs.onlineSum]);
  const seconds = (value: number): string => `${value.toFixed(1)} s`;
  const perSecond = (value: number): string => `${count(Math.round(rowCount / value))} rows/s`;
  console.log(
    `Feast 0.67.0: SQLite online, DuckDB offline; ${count(rowCount)} rows, ${count(LABELS)} labels`,
  );
  console.log('                          Freshet                 Feast');
  table('materialize', perSecond(ours.materializeSeconds), perSecond(theirs.materializeSeconds));
  table('join of a hundred thousand', seconds(alone.joinSeconds), 'no memory');
  table('point-in-time join', seconds(ours.joinSeconds), seconds(theirs.joinSeconds));
  table('  peak memory of it all', `${ours.joinRssMb} MB`, `${theirs.joinRssMb} MB`);
  table('online, 1 entity, p50 p99', micros(ours.onlineOne), micros(theirs.onlineOne));
  table('online, 100 entities', micros(ours.onlineHundred), micros(theirs.onlineHundred));
}

async function besideQuix(folder: string, python: string): Promise<void> {
  const kafka = await startDevKafka({ heapMb: 768 }).catch((thrown: unknown) => {
    if (!(thrown instanceof FreshetError)) throw thrown;
    console.log(`skipped Quix Streams: ${thrown.message}`);
    return null;
  });
  if (kafka === null) return;
  try {
    await fillTopic(kafka.broker, join(folder, 'fill'));
    const ours = await ownProcess<QuixJob>(['quix-job', join(folder, 'stream'), kafka.broker]);
    const state = join(folder, 'quix');
    mkdirSync(state);
    const theirs = await peer<QuixJob>(python, 'quix_peer.py', [
      state,
      kafka.broker,
      STREAM_TOPIC,
      String(STREAM_ROWS),
    ]);
    const rate = ({ seconds }: QuixJob): string =>
      `${count(Math.round(STREAM_ROWS / seconds))} rows/s`;
    console.log(
      `Quix Streams 3.28.1: count and mean of each hour and airport, ${count(STREAM_ROWS)} rows from Kafka`,
    );
    table('rows into windows', rate(ours), rate(theirs));
    table('closed windows', count(ours.windows), count(theirs.windows));
  } finally {
    await kafka.stop();
  }
}

async function writeInputs(rows: string, labels: readonly [string, string]): Promise<number> {
  await using duckdb = await openDuckdb();
  await duckdb.run(`COPY (
    SELECT date, origin, any_value(delay) AS delay, any_value(distance) AS distance
    FROM (SELECT * FROM read_parquet(${quoteLiteral(FLIGHTS)}) WHERE delay IS NOT NULL)
    GROUP BY date, origin ORDER BY date, origin
  ) TO ${quoteLiteral(rows)} (FORMAT parquet)`);
  for (const [i, limit] of [LABELS, LABELS_MANY].entries()) {
    await duckdb.run(`COPY (
      SELECT origin, date + to_minutes((hash(n) % 600)::INT) AS event_timestamp, n AS label
      FROM (SELECT origin, date, file_row_number AS n FROM read_parquet(${quoteLiteral(rows)}, file_row_number = true))
      ORDER BY hash(n * 31) LIMIT ${limit}
    ) TO ${quoteLiteral(labels[i] as string)} (FORMAT parquet)`);
  }
  const [counted] = await duckdb.query(
    `SELECT count(*)::DOUBLE AS n FROM read_parquet(${quoteLiteral(rows)})`,
  );
  return Number(counted?.['n']);
}

async function ownProcess<T>(args: readonly string[]): Promise<T> {
  const program = fileURLToPath(import.meta.url);
  const { stdout } = await run(process.execPath, ['--import', 'tsx', program, ...args]);
  return JSON.parse(stdout);
}

async function peer<T>(python: string, script: string, args: readonly string[]): Promise<T> {
  const program = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await run(python, [program, ...args], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

function requireSame(what: string, ours: readonly number[], theirs: readonly number[]): void {
  if (ours.join() === theirs.join()) return;
  console.log(`${what} differ: ours ${ours.join(' ')}, theirs ${theirs.join(' ')}`);
  process.exitCode = 1;
}

function table(what: string, ours: string, theirs: string): void {
  console.log(`  ${what.padEnd(26)}${ours.padStart(20)}${theirs.padStart(22)}`);
}

function micros([p50, p99]: readonly [number, number]): string {
  return `${p50} ${p99} µs`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function print(value: unknown): void {
  console.log(JSON.stringify(value));
}

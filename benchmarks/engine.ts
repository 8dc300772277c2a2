/**
 * The engine on three million flights from the embedded log: rows a second until both stores have
 * them all and the last segment is published, and peak memory. Beside it, in the same run, the bare
 * reading and decoding of the same log: what no engine could do without. Each cell is a process.
 *
 *     npx tsx benchmarks/engine.ts [rounds, default 3]
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { airport, airportDelays, airportStats, flights } from '../examples/quickstart/features.ts';
import { createRowDecoder } from '../src/codec/index.ts';
import { type Definition, type FeatureStore, openFeatureStore } from '../src/index.ts';
import { produceRows, readRows } from '../src/producer/index.ts';
import { FLIGHTS } from './flights.ts';

const ROWS = 3_000_000;

/** Definitions by cell; `read` has none to feed. */
const CELLS: Readonly<Record<string, readonly Definition[]>> = {
  read: [airport, flights, airportStats],
  rows: [airport, flights, airportStats],
  windows: [airport, flights, airportDelays],
};
const TITLES: Readonly<Record<string, string>> = {
  read: 'bare: read the log, decode the rows',
  rows: 'newest rows and segments',
  windows: '12 aggregations over 1h, 24h, 7d, and segments',
};

interface Cell {
  readonly rowsPerSecond: number;
  readonly rssMb: number;
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'cell') console.log(JSON.stringify(await runCell(...(rest as [string, string]))));
else await compare(Number(first ?? 3));

async function compare(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
  try {
    await fillLog(join(folder, 'log'));
    const cells: Record<string, Cell[]> = { read: [], rows: [], windows: [] };
    for (let round = 0; round < rounds; round++) {
      for (const name of Object.keys(CELLS)) {
        const work = join(folder, `${name}-${round}`);
        cpSync(join(folder, 'log'), work, { recursive: true });
        cells[name]?.push(spawnCell(name, work));
        rmSync(work, { recursive: true });
      }
    }
    report(cells);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(cells: Readonly<Record<string, readonly Cell[]>>): void {
  const bare = median((cells['read'] ?? []).map((cell) => cell.rowsPerSecond));
  console.log(`${ROWS.toLocaleString('en-US')} flights, 4 partitions, median of the rounds`);
  for (const [name, all] of Object.entries(cells)) {
    const rowsPerSecond = median(all.map((cell) => cell.rowsPerSecond));
    const rssMb = Math.max(...all.map((cell) => cell.rssMb));
    const rate = Math.round(rowsPerSecond).toLocaleString('en-US').padStart(9);
    const ratio = (rowsPerSecond / bare).toFixed(2);
    console.log(
      `  ${(TITLES[name] as string).padEnd(48)} ${rate} rows/s  ${ratio} of bare  ${rssMb} MB peak`,
    );
  }
}

async function fillLog(directory: string): Promise<void> {
  const store = await open(directory, CELLS['rows'] as readonly Definition[]);
  try {
    await store.apply();
    const reader = await readRows({
      input: { format: 'parquet', path: FLIGHTS },
      source: flights,
      duckdb: await store.resources.duckdb(),
    });
    await using producer = await store.producer(flights);
    await produceRows({ producer, reader, strict: true });
  } finally {
    await store.close();
  }
}

function spawnCell(name: string, directory: string): Cell {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), 'cell', name, directory];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

async function runCell(name: string, directory: string): Promise<Cell> {
  const store = await open(directory, CELLS[name] as readonly Definition[]);
  try {
    await store.apply({ force: true });
    const began = performance.now();
    if (name === 'read') await readBare(store);
    else {
      const engine = await store.startEngine();
      await engine.caughtUp();
      await store.stopEngine();
    }
    const seconds = (performance.now() - began) / 1_000;
    return {
      rowsPerSecond: ROWS / seconds,
      rssMb: Math.round(process.resourceUsage().maxRSS / 1_024),
    };
  } finally {
    await store.close();
  }
}

async function readBare(store: FeatureStore): Promise<void> {
  const log = await store.resources.log();
  const registry = await store.resources.schemas();
  const decoder = createRowDecoder({ source: flights, requiredFields: ['origin'], registry });
  const { topic, partitions } = flights;
  const cursors = Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    offset: 0,
  }));
  await using reader = await log.assign(cursors);
  let rows = 0;
  while (rows < ROWS) {
    for (const batch of await reader.poll({ waitMs: 1_000 })) {
      rows += (await decoder.decode(batch)).rows.count;
    }
  }
}

function open(directory: string, definitions: readonly Definition[]): Promise<FeatureStore> {
  return openFeatureStore({ directory, definitions, config: { project: 'bench' } });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

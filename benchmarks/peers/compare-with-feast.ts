import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { FLIGHTS } from '../flights.ts';
import type { CellResult } from './measure.ts';
import { count, micros, row, seconds } from './report.ts';
import { freshetSide, medianOf, pythonSide, requireSame, type Side } from './run-cells.ts';

/**
 * Feast pairs each label with every row of its entity that is not older than the TTL. Without a TTL
 * 100,000 labels are six thousand million pairs: its file store asks for 30 GB, and its DuckDB store
 * fills the disk.
 */
const LABELS = 2_000;
const LABELS_MANY = 100_000;
const FLIGHTS_MANY = 200_000;

/** In this order: the online reads are of what was materialized. */
const CELLS = ['materialize', 'materialize-many', 'join', 'join-ttl', 'online'] as const;
/** Freshet alone: every read from RocksDB. */
const UNCACHED = 'online-uncached';

/** Feast with SQLite online and DuckDB offline, on the same files. */
export async function compareWithFeast(
  folder: string,
  python: string,
  rounds: number,
): Promise<void> {
  const inputs = join(folder, 'inputs');
  mkdirSync(inputs, { recursive: true });
  const rowCount = await writeInputs(inputs);
  const sides: Record<string, Side> = {
    freshet: (args) => freshetSide()(['feast-cell', ...args]),
    feast: pythonSide(python, 'feast_peer.py'),
  };
  const results = new Map<string, CellResult[]>();
  for (let round = 0; round < rounds; round++) {
    for (const side of Object.keys(sides)) {
      const place = join(folder, side);
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place);
    }
    for (const cell of [...CELLS, UNCACHED]) {
      for (const [side, run] of Object.entries(sides)) {
        if (cell === UNCACHED && side === 'feast') continue;
        const key = `${side} ${cell}`;
        const result = await run([cell, join(folder, side), inputs]);
        results.set(key, [...(results.get(key) ?? []), result]);
      }
    }
  }
  report(rowCount, (side, cell) => medianOf(results.get(`${side} ${cell}`) ?? []));
}

function report(rowCount: number, of: (side: string, cell: string) => CellResult): void {
  for (const cell of CELLS) {
    requireSame(cell, of('freshet', cell).answer, of('feast', cell).answer);
  }
  const both = (cell: string, show: (result: CellResult) => string): [string, string] => [
    show(of('freshet', cell)),
    show(of('feast', cell)),
  ];
  const rate = (rows: number) => (result: CellResult) =>
    `${count(rows / (result.seconds ?? 0))} rows/s`;
  const took = (result: CellResult): string => `${seconds(result)}, ${result.rssMb} MB`;
  console.log(
    `\nBeside Feast: ${count(rowCount)} rows of 229 airports; SQLite online, DuckDB offline`,
  );
  row('', 'Freshet', 'Feast');
  row('materialize, 229 entities', ...both('materialize', rate(rowCount)));
  row(
    `materialize, ${count(FLIGHTS_MANY)} entities`,
    ...both('materialize-many', rate(FLIGHTS_MANY)),
  );
  row(`join of ${count(LABELS)} labels, no TTL`, ...both('join', took));
  row(`join of ${count(LABELS_MANY)} labels, 12 h`, ...both('join-ttl', took));
  row('online, 1 entity, p50 p99', ...both('online', ({ one }) => micros(one)));
  row('online, 100 entities', ...both('online', ({ hundred }) => micros(hundred)));
  const uncached = of('freshet', UNCACHED);
  row('  without the cache, 1', micros(uncached.one), '');
  row('  without the cache, 100', micros(uncached.hundred), '');
}

/**
 * Rows are one a minute and airport, so that no two tie: Feast does not say which of two it takes.
 * Returns how many there are.
 */
async function writeInputs(folder: string): Promise<number> {
  await using duckdb = await openDuckdb();
  const file = (name: string): string => quoteLiteral(join(folder, name));
  const copy = (query: string, name: string): Promise<unknown> =>
    duckdb.run(`COPY (${query}) TO ${file(name)} (FORMAT parquet)`);
  const flights = `SELECT * FROM read_parquet(${quoteLiteral(FLIGHTS)}, file_row_number = true) WHERE delay IS NOT NULL`;
  await copy(
    `SELECT date, origin, any_value(delay) AS delay, any_value(distance) AS distance
     FROM (${flights}) GROUP BY date, origin ORDER BY date, origin`,
    'rows.parquet',
  );
  await copy(
    `SELECT date, file_row_number AS flight_id, delay, distance FROM (${flights})
     ORDER BY hash(file_row_number) LIMIT ${FLIGHTS_MANY}`,
    'flights.parquet',
  );
  for (const [name, limit] of [
    ['labels.parquet', LABELS],
    ['labels-many.parquet', LABELS_MANY],
  ] as const) {
    await copy(
      `SELECT origin, date + to_minutes((hash(n) % 600)::INT) AS event_timestamp, n AS label
       FROM (SELECT origin, date, file_row_number AS n
             FROM read_parquet(${file('rows.parquet')}, file_row_number = true))
       ORDER BY hash(n * 31) LIMIT ${limit}`,
      name,
    );
  }
  const airports = await duckdb.query(
    `SELECT origin, count(*)::DOUBLE AS n FROM read_parquet(${file('rows.parquet')}) GROUP BY origin ORDER BY origin`,
  );
  writeFileSync(
    join(folder, 'airports.json'),
    JSON.stringify(airports.map(({ origin }) => origin)),
  );
  return airports.reduce((sum, { n }) => sum + Number(n), 0);
}

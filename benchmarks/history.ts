/**
 * History at scale. A million labels against ten million rows of a hundred thousand entities, one
 * view and three, with a narrow and a wide TTL, beside the best plans written by hand over the same
 * files in the same run; then how a join grows from one million rows to thirty; then compaction.
 * Each cell is a process, so that its peak memory is its own; ours and theirs take turns.
 *
 *     npx tsx benchmarks/history.ts [rounds, default 3]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/core/clock.ts';
import { rowLayout } from '../src/core/row-batch.ts';
import { type Duration, parseDurationUs } from '../src/core/time.ts';
import {
  buildCatalog,
  entity,
  type FeatureView,
  featureView,
  parquetSource,
  topicSource,
} from '../src/definition/index.ts';
import { type Duckdb, openDuckdb, quoteLiteral } from '../src/duckdb/index.ts';
import { createHistoricalReader, createRowsOf } from '../src/join/index.ts';
import { createSegmentStore, localFiles, type SegmentEntry } from '../src/segment/index.ts';

const LABELS = 1_000_000;
const ROWS = 10_000_000;
const ENTITIES = 100_000;
const DAYS = 90;
const GROWTH = [1_000_000, 3_000_000, 10_000_000, 30_000_000];
const MEMORY_LIMIT_BYTES = 512 * 1024 * 1024;
const TTLS: readonly Duration[] = ['12h', '30d'];
const VIEWS = ['x', 'y', 'z'];
const RATIO_MAX = 1.3;
const RSS_MB_MAX = 1_000;
const SEGMENTS = [32, 128];
const SEGMENT_ROWS = 100_000;

interface Cell {
  readonly ms: number;
  readonly rssMb: number;
  /** Matches and sums of the answer: both must agree. */
  readonly answer: string;
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'cell') await runCell(rest as [string, Duration, string, string, string]);
else if (first === 'compaction') await compaction(rest[0] as string, Number(rest[1]));
else await compare(Number(first ?? 3));

async function compare(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
  try {
    await write(folder, ROWS);
    console.log(`${count(LABELS)} labels, ${count(ROWS)} rows of ${count(ENTITIES)} entities`);
    for (const views of [1, 3]) {
      for (const ttl of TTLS) {
        const cells: Record<string, Cell[]> = { ours: [], asof: [], range: [] };
        for (let round = 0; round < rounds; round++) {
          for (const side of Object.keys(cells)) {
            // A range of 30 days matches some 40 rows a label: no rival.
            if (side === 'range' && ttl === '30d') continue;
            cells[side]?.push(spawnCell(side, ttl, String(views), folder, String(ROWS)));
          }
        }
        report(`${views} ${views === 1 ? 'view ' : 'views'}, TTL ${ttl}`, cells);
      }
    }
    console.log('growth, one view, TTL 12h');
    for (const rows of GROWTH) {
      if (rows !== ROWS) await write(folder, rows);
      const { ms, rssMb } = spawnCell('ours', '12h', '1', folder, String(rows));
      const bar = '█'.repeat(Math.round(ms / 250));
      console.log(
        `  ${count(rows).padStart(10)} rows  ${String(Math.round(ms)).padStart(6)} ms  ${rssMb} MB  ${bar}`,
      );
    }
    for (const segments of SEGMENTS) {
      process.stdout.write(spawn('compaction', folder, String(segments)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(what: string, cells: Readonly<Record<string, readonly Cell[]>>): void {
  const answers = new Set(Object.values(cells).flatMap((all) => all.map(({ answer }) => answer)));
  if (answers.size !== 1) throw new Error(`answers differ: ${[...answers].join(' | ')}`);
  const msOf = (side: string): number => median((cells[side] ?? []).map(({ ms }) => ms));
  const best = Math.min(...['asof', 'range'].map(msOf).filter((ms) => ms > 0));
  const rssMb = Math.max(...(cells['ours'] ?? []).map((cell) => cell.rssMb));
  const ratio = msOf('ours') / best;
  const sides = Object.keys(cells)
    .filter((side) => (cells[side] ?? []).length > 0)
    .map((side) => `${side} ${Math.round(msOf(side))} ms`);
  console.log(`  ${what}: ${sides.join(', ')}; ${ratio.toFixed(2)} of the best, peak ${rssMb} MB`);
  if (ratio > RATIO_MAX || rssMb > RSS_MB_MAX) process.exitCode = 1;
}

/** Rows sorted by entity and time, as compacted segments are, and labels in no order. */
async function write(folder: string, rows: number): Promise<void> {
  await using duckdb = await open(folder);
  const span = DAYS * 86_400;
  await duckdb.run(`COPY (
    SELECT (hash(i) % ${ENTITIES})::BIGINT AS entity,
      TIMESTAMP '2026-01-01' + to_seconds((hash(i * 7 + 1) % ${span})::BIGINT) AS ts,
      i::INTEGER AS x, (i % 1000)::INTEGER AS y, i / 16 AS z
    FROM range(${rows}) r(i) ORDER BY entity, ts, i
  ) TO ${quoteLiteral(file(folder, rows))} (FORMAT parquet, COMPRESSION zstd)`);
  await duckdb.run(`COPY (
    SELECT (hash(i * 31 + 5) % ${ENTITIES})::BIGINT AS entity,
      TIMESTAMP '2026-01-01' + to_seconds((hash(i * 13 + 3) % ${span})::BIGINT) AS event_timestamp,
      i::INTEGER AS label
    FROM range(${LABELS}) r(i)
  ) TO ${quoteLiteral(join(folder, 'labels.parquet'))} (FORMAT parquet, COMPRESSION zstd)`);
}

function file(folder: string, rows: number): string {
  return join(folder, `rows-${rows}.parquet`);
}

function spawnCell(...args: readonly string[]): Cell {
  return JSON.parse(spawn('cell', ...args)) as Cell;
}

function spawn(...args: readonly string[]): string {
  const all = [...process.execArgv, fileURLToPath(import.meta.url), ...args];
  return execFileSync(process.execPath, all, { encoding: 'utf8' });
}

async function runCell([side, ttl, views, folder, rows]: [
  string,
  Duration,
  string,
  string,
  string,
]): Promise<void> {
  const target = join(folder, `${side}.parquet`);
  const columns = VIEWS.slice(0, Number(views));
  const duckdb = await open(folder);
  const start = performance.now();
  if (side === 'ours') await joinOurs(duckdb, ttl, columns, file(folder, Number(rows)), target);
  else await joinByHand(duckdb, side, ttl, columns, file(folder, Number(rows)), target);
  const ms = performance.now() - start;
  const rssMb = Math.round(process.resourceUsage().maxRSS / 1_024);
  const sums = columns.map((c) => `count(${c}), sum(${c} * (file_row_number % 97))`).join(', ');
  const [answer] = await duckdb.query(
    `SELECT count(*), ${sums} FROM read_parquet(${quoteLiteral(target)}, file_row_number = true)`,
  );
  await duckdb.close();
  console.log(JSON.stringify({ ms, rssMb, answer: Object.values(answer ?? {}).join(' ') }));
}

async function joinOurs(
  duckdb: Duckdb,
  ttl: Duration,
  columns: readonly string[],
  path: string,
  target: string,
): Promise<void> {
  const item = entity({ name: 'item', joinKeys: { entity: 'int64' } });
  const schema = {
    entity: 'int64',
    ts: 'timestamp',
    x: 'int32',
    y: 'int32',
    z: 'float64',
  } as const;
  const source = parquetSource({ name: 'rows', path, schema, timestampField: 'ts' });
  const views = columns.map(
    (column): FeatureView =>
      featureView({
        name: `view_${column}`,
        entities: [item],
        source,
        schema: { [column]: schema[column as 'x'] },
        ttl,
      }) as FeatureView,
  );
  const reader = createHistoricalReader({
    duckdb,
    clock: systemClock,
    catalog: buildCatalog([item, source, ...views]),
    rowsOf: createRowsOf({
      duckdb,
      baseDirectory: '.',
      segmentFiles: localFiles('.'),
      segmentsOf: async () => [],
    }),
  });
  await using features = await reader.getHistoricalFeatures({
    features: columns.map((column) => `view_${column}:${column}`),
    entityRows: { parquet: join(dirname(path), 'labels.parquet') },
  });
  if (process.env['EXPLAIN']) console.error(features.explain().text);
  await features.toParquet(target);
}

/** One statement a view into a table, then side by side: the best plans known, told which one to use. */
async function joinByHand(
  duckdb: Duckdb,
  plan: string,
  ttl: Duration,
  columns: readonly string[],
  path: string,
  target: string,
): Promise<void> {
  const ttlUs = parseDurationUs(ttl);
  const labels = quoteLiteral(join(dirname(path), 'labels.parquet'));
  await duckdb.run(
    `CREATE TEMP TABLE labels AS SELECT row_number() OVER () AS label_id, * FROM read_parquet(${labels})`,
  );
  const rows = `read_parquet(${quoteLiteral(path)}, file_row_number = true)`;
  for (const column of columns) {
    await duckdb.run(
      plan === 'asof'
        ? `CREATE TEMP TABLE joined_${column} AS
          SELECT l.label_id, CASE WHEN f.ts >= l.event_timestamp - to_microseconds(${ttlUs}) THEN f.${column} END AS ${column}
          FROM (SELECT *, epoch_us(event_timestamp)::HUGEINT * 18446744073709551616 + 9223372036854775807 AS k FROM labels) l
          ASOF LEFT JOIN (
            SELECT entity, ts, ${column}, epoch_us(ts)::HUGEINT * 18446744073709551616 + file_row_number AS k FROM ${rows}
          ) f ON l.entity = f.entity AND l.k >= f.k`
        : `CREATE TEMP TABLE joined_${column} AS SELECT label_id, ${column} FROM (
          SELECT l.label_id, f.${column},
            row_number() OVER (PARTITION BY l.label_id ORDER BY f.ts DESC, f.file_row_number DESC) AS n
          FROM (
            SELECT *, unnest([epoch_us(event_timestamp) // ${ttlUs}, epoch_us(event_timestamp) // ${ttlUs} - 1]) AS bucket FROM labels
          ) l JOIN (SELECT entity, ts, file_row_number, ${column}, epoch_us(ts) // ${ttlUs} AS bucket FROM ${rows}) f
            ON l.entity = f.entity AND l.bucket = f.bucket
          WHERE f.ts <= l.event_timestamp AND f.ts >= l.event_timestamp - to_microseconds(${ttlUs})
        ) WHERE n = 1`,
    );
  }
  const joins = columns.map((c) => `LEFT JOIN joined_${c} USING (label_id)`).join(' ');
  await duckdb.run(`COPY (
    SELECT l.* EXCLUDE (label_id), ${columns.join(', ')} FROM labels l ${joins} ORDER BY label_id
  ) TO ${quoteLiteral(target)} (FORMAT parquet, COMPRESSION zstd)`);
}

/** Cuts as an engine leaves them, into one range. */
async function compaction(folder: string, segments: number): Promise<void> {
  await using duckdb = await open(folder);
  const source = topicSource({
    name: 'rows',
    topic: 'rows',
    schema: { entity: 'int64', ts: 'timestamp', x: 'int32', y: 'int32', z: 'float64' },
    timestampField: 'ts',
    keyFields: ['entity'],
  });
  const target = join(folder, `segments-${segments}`);
  const store = createSegmentStore({ files: localFiles(target), duckdb });
  const layout = rowLayout(source.schema);
  const writer = store.writer(source, 0);
  const entries: SegmentEntry[] = [];
  let offset = 0;
  for (let cut = 0; cut < segments; cut++) {
    const sql = `SELECT * FROM read_parquet(${quoteLiteral(file(folder, GROWTH[1] as number))})
      USING SAMPLE reservoir(${SEGMENT_ROWS} ROWS) REPEATABLE (${cut + 1})`;
    const startOffset = offset;
    for await (const chunk of duckdb.stream(sql)) {
      const columns = layout.names.map((name, c) => ({
        ...chunk.column(chunk.names.indexOf(name)),
        type: layout.types[c] as never,
      }));
      const eventTimesUs = columns[1]?.values as Float64Array;
      const rows = {
        layout,
        count: chunk.rowCount,
        columns,
        offsets: Float64Array.from({ length: chunk.rowCount }, () => offset++),
        eventTimesUs,
        createdTimesUs: new Float64Array(chunk.rowCount),
        arrivalTimesUs: eventTimesUs,
      };
      await writer.append(rows as never, new Float64Array(chunk.rowCount), 0, chunk.rowCount);
    }
    entries.push(await writer.write({ startOffset, endOffset: offset }));
  }
  const start = performance.now();
  const written = await store.rewrite({ entries, source, fileBytesTarget: 16 * 1024 * 1024 });
  const seconds = (performance.now() - start) / 1_000;
  const bytes = (all: readonly SegmentEntry[]): number =>
    all.reduce((sum, { file: name }) => sum + statSync(join(target, name as string)).size, 0);
  const perSecond = count(Math.round((segments * SEGMENT_ROWS) / seconds));
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1_024);
  console.log(
    `compaction: ${segments} files of ${count(SEGMENT_ROWS)} rows into ${written.length}, checked: ` +
      `${perSecond} rows/s, ${Math.round(bytes(entries) / 1e6)} → ${Math.round(bytes(written) / 1e6)} MB, peak ${peakMb} MB`,
  );
}

function open(folder: string): Promise<Duckdb> {
  return openDuckdb({
    memoryLimitBytes: MEMORY_LIMIT_BYTES,
    threads: 2,
    tempDirectory: join(folder, 'spill'),
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

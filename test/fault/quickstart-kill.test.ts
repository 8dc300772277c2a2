/** The path of the quickstart, killed with SIGKILL again and again until it ends by itself. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Duckdb, openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { type FeatureStore, openFeatureStore } from '../../src/index.ts';
import { ROOT } from '../rules/repository.ts';
import { CONFIG, SOURCE, VIEWS } from './kill-program.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_261_125);
const ROWS = 150_000;
const KEYS = 3_000;
/** Rows of the year 2200, which the engine must put aside and not lose. */
const ABSURD_EVERY = 5_003;
const KILLS = 16;

describe(`a run that is killed ${KILLS} times (seed ${SEED})`, { timeout: 120_000 }, () => {
  let folder = '';
  let duckdb: Duckdb;
  let store: FeatureStore;
  let input = '';
  let segments = '';
  beforeAll(async () => {
    console.log(`seed ${SEED}`);
    folder = await mkdtemp(join(tmpdir(), 'freshet-kill-'));
    duckdb = await openDuckdb();
    input = `read_parquet(${quoteLiteral(join(folder, 'input.parquet'))})`;
    segments = `read_parquet(${quoteLiteral(join(folder, 'data/offline/events/*.parquet'))})`;
    await writeInput(duckdb, join(folder, 'input.parquet'));
    await killUntilDone(folder);
    store = await openFeatureStore({ directory: folder, definitions: VIEWS, config: CONFIG });
  }, 120_000);
  afterAll(async () => {
    await store?.close();
    await duckdb?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('has every row in the log once, applied and sealed', async () => {
    const [status] = await store.status();
    const partitions = status?.partitions ?? [];
    expect(sumOf(partitions, 'end')).toBe(ROWS);
    expect(sumOf(partitions, 'rejected')).toBe(Math.floor(ROWS / ABSURD_EVERY));
    expect(sumOf(partitions, 'rows')).toBe(ROWS - Math.floor(ROWS / ABSURD_EVERY));
    for (const { applied, sealed, end } of partitions) {
      expect({ applied, sealed }).toEqual({ applied: end, sealed: end });
    }
  });

  it('has segments from the first offset to the last, without gap, overlap or a file too many', async () => {
    const [status] = await store.status();
    const entries = await store.segments(SOURCE.name);
    for (const { partition, end } of status?.partitions ?? []) {
      const ranges = entries
        .filter((entry) => entry.partition === partition)
        .sort((a, b) => a.startOffset - b.startOffset);
      expect(ranges[0]?.startOffset).toBe(0);
      for (const [i, { startOffset }] of ranges.entries()) {
        if (i > 0) expect(startOffset).toBe(ranges[i - 1]?.endOffset);
      }
      expect(ranges.at(-1)?.endOffset).toBe(end);
    }
    const files = await readdir(join(folder, 'data/offline/events'));
    expect(files.sort()).toEqual(
      entries.flatMap(({ file }) => (file === null ? [] : [file.replace(/^.*\//, '')])).sort(),
    );
    expect(sumOf(entries, 'rowCount')).toBe(ROWS - Math.floor(ROWS / ABSURD_EVERY));
  });

  it('has the rows of the input in the segments, each as often as there', async () => {
    const good = `SELECT seen_at, id, key, value FROM ${input} WHERE NOT absurd`;
    const kept = `SELECT seen_at, id, key, value FROM ${segments}`;
    for (const [from, without] of [
      [good, kept],
      [kept, good],
    ]) {
      const [row] = await duckdb.query(
        `SELECT count(*)::INT AS n FROM (${from} EXCEPT ALL ${without})`,
      );
      expect(row).toEqual({ n: 0 });
    }
  });

  it('has each rejected row among the dead letters, once', async () => {
    const places: string[] = [];
    for await (const { code, topic, partition, offset } of store.deadLetters.list()) {
      expect({ code, topic }).toEqual({ code: 'ROW_TIME_ABSURD', topic: 'events' });
      places.push(`${partition}:${offset}`);
    }
    expect(places.length).toBe(Math.floor(ROWS / ABSURD_EVERY));
    expect(new Set(places).size).toBe(places.length);
  });

  it('serves the newest row of every key', async () => {
    const newest = new Map<number, { us: number; id: bigint; value: number }>();
    const rows = await duckdb.query(
      `SELECT epoch_us(seen_at) AS us, id, key, value FROM ${input} WHERE NOT absurd ORDER BY id`,
    );
    for (const row of rows) {
      const { us, id, key, value } = row as { us: bigint; id: bigint; key: number; value: number };
      const before = newest.get(key);
      // Rows of a key are in one partition in the order of the input: of a tie the later wins.
      if (before === undefined || Number(us) >= before.us) {
        newest.set(key, { us: Number(us), id, value });
      }
    }
    const keys = [...newest.keys()];
    const answer = await store.getOnlineFeatures({
      features: ['newest:id', 'newest:value'],
      entityRows: keys.map((key) => ({ key })),
    });
    const { values, eventTimestamps } = answer.toColumns();
    expect(values['id']?.map(BigInt as never)).toEqual(keys.map((key) => newest.get(key)?.id));
    expect(values['value']).toEqual(keys.map((key) => newest.get(key)?.value));
    expect(eventTimestamps['id']?.map(Number)).toEqual(keys.map((key) => newest.get(key)?.us));
  });

  it('counts every row that came in time once in its windows, online and for training', async () => {
    const expected = await duckdb.query(
      `SELECT key, count(*) AS row_count, sum(id)::BIGINT AS id_sum
       FROM ${segments} WHERE _late <= 0 GROUP BY key ORDER BY key`,
    );
    expect(expected.length).toBeGreaterThan(KEYS / 2);
    const features = ['row_count', 'id_sum', 'value_mean'];
    const names = features.map((feature) => `totals:${feature}`);
    const entityRows = expected.map(({ key }) => ({ key }));
    const online = await store.getOnlineFeatures({ features: names, entityRows } as never);
    const { values } = online.toColumns() as unknown as { values: Record<string, unknown[]> };
    expect(values['row_count']?.map(Number)).toEqual(
      expected.map((row) => Number(row['row_count'])),
    );
    expect(values['id_sum']?.map(Number)).toEqual(expected.map((row) => Number(row['id_sum'])));
    const now = new Date();
    const joined = await store.getHistoricalFeatures({
      features: names,
      entityRows: entityRows.map((row) => ({ ...row, event_timestamp: now })),
    } as never);
    const rows = (await joined.toArray()) as Record<string, unknown>[];
    for (const feature of features) {
      expect(rows.map((row) => row[feature])).toEqual(values[feature]);
    }
  });
});

/** Rows out of order within two minutes, with many ties, on few keys. */
async function writeInput(duckdb: Duckdb, file: string): Promise<void> {
  const chance = (salt: number, n: number): string => `(hash(i, ${SEED}, ${salt}) % ${n})`;
  await duckdb.run(
    `COPY (
       SELECT i AS id, ${chance(1, KEYS)}::INT AS key, ${chance(2, 10_000)} / 7.0 AS value,
         i % ${ABSURD_EVERY} = ${ABSURD_EVERY - 1} AS absurd,
         CASE WHEN absurd THEN TIMESTAMP '2200-01-01'
           ELSE TIMESTAMP '2026-01-01' + to_seconds((i // 50 - ${chance(3, 120)})::BIGINT) END AS seen_at
       FROM range(${ROWS}) t(i) ORDER BY i
     ) TO ${quoteLiteral(file)} (FORMAT parquet)`,
  );
}

async function killUntilDone(folder: string): Promise<void> {
  const random = seededRandom(SEED);
  let kills = 0;
  for (;;) {
    // Now and then while it opens and recovers, else after some of its steps.
    const steps = kills < KILLS ? (random() < 0.2 ? 1 : 1 + Math.floor(random() * 18)) : null;
    const delayMs = Math.floor(random() * (steps === 1 ? 200 : 15));
    const ended = await runOnce(folder, steps, delayMs);
    if (ended === 'done') break;
    kills++;
  }
  expect(kills).toBeGreaterThanOrEqual(15);
}

/** Kills the program `delayMs` after its step of that number; null lets it end. */
async function runOnce(
  folder: string,
  steps: number | null,
  delayMs: number,
): Promise<'done' | 'killed'> {
  const program = join(ROOT, 'test/fault/kill-program.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, folder], { cwd: ROOT });
  let left = steps ?? Number.POSITIVE_INFINITY;
  child.stdout.on('data', (chunk: Buffer) => {
    const before = left;
    left -= chunk.toString().split('\n').length - 1;
    if (before > 0 && left <= 0) setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...ended) => resolve(ended));
  });
  if (signal === 'SIGKILL') return 'killed';
  expect(code, said).toBe(0);
  return 'done';
}

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function sumOf<K extends string>(rows: readonly Readonly<Record<K, number>>[], name: K): number {
  return rows.reduce((sum, row) => sum + row[name], 0);
}

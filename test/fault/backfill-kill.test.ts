/** Backfills, killed with SIGKILL again and again until they end by themselves. */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { openFeatureStore } from '../../src/index.ts';
import { ROOT } from '../rules/repository.ts';
import { CONFIG, EXPORTS, VIEWS } from './backfill-kill-program.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_261_126);
const FILES = 8;
const ROWS_A_FILE = 15_000;
const KEYS = 2_000;
const BAD_EVERY = 997;
const KILLS = 14;

describe(`backfills that are killed ${KILLS} times (seed ${SEED})`, { timeout: 120_000 }, () => {
  let folder = '';
  let whole = '';
  let killed = '';
  beforeAll(async () => {
    console.log(`seed ${SEED}`);
    folder = await mkdtemp(join(tmpdir(), 'freshet-backfill-kill-'));
    whole = join(folder, 'whole');
    killed = join(folder, 'killed');
    await writeExports(whole);
    await cp(whole, killed, { recursive: true });
    expect(await runOnce(whole, null, 0)).toBe('done');
    await killUntilDone(killed);
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('end with the parts and the bad rows of a run that nothing stopped', async () => {
    for (const place of ['history', 'data/backfill/history']) {
      const expected = await contents(join(whole, place), whole);
      const found = await contents(join(killed, place), killed);
      expect([...found.keys()]).toEqual([...expected.keys()]);
      expect(expected.size).toBe(2 * FILES);
      // Parts and bad rows name the foreign file, which lies elsewhere.
      if (place === 'history') continue;
      for (const [name, text] of expected) expect(found.get(name)).toBe(text);
    }
  });

  it('end with the same values online and for training, and every row counted once', async () => {
    const [a, b] = [await valuesIn(whole), await valuesIn(killed)];
    expect(b.checksum).toEqual(a.checksum);
    expect(b.joined).toEqual(a.joined);
    const good = (n: number): boolean => n % BAD_EVERY !== 0;
    const rows = Array.from({ length: 2 * FILES * ROWS_A_FILE }, (_, n) => n).filter(good).length;
    expect(b.rowCount).toBe(rows);
    expect(b.isSame).toBe(true);
  });
});

/** Files of two exports; some rows have no key. */
async function writeExports(directory: string): Promise<void> {
  const duckdb = await openDuckdb();
  for (const [e, name] of EXPORTS.entries()) {
    await mkdir(join(directory, name), { recursive: true });
    for (let f = 0; f < FILES; f++) {
      const first = (e * FILES + f) * ROWS_A_FILE;
      const chance = (salt: number, n: number): string => `(hash(i, ${SEED}, ${salt}) % ${n})`;
      await duckdb.run(
        `COPY (SELECT i AS id, CASE WHEN i % ${BAD_EVERY} <> 0 THEN ${chance(1, KEYS)}::INT END AS key,
           ${chance(2, 10_000)} / 7.0 AS value,
           TIMESTAMP '2026-01-01' + to_seconds(${chance(3, 864_000)}::BIGINT) AS ts
         FROM range(${first}, ${first + ROWS_A_FILE}) t(i)
        ) TO ${quoteLiteral(join(directory, name, `${f}.parquet`))} (FORMAT parquet, ROW_GROUP_SIZE 4096)`,
      );
    }
  }
  await duckdb.close();
}

/** By name; the folder of the run is left out of what is in the files. */
async function contents(folder: string, run: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(folder)).sort()) {
    const text = await readFile(join(folder, name), 'utf8');
    found.set(name, text.replaceAll(relative('/', run), ''));
  }
  return found;
}

async function valuesIn(directory: string) {
  await using store = await openFeatureStore({ directory, definitions: VIEWS, config: CONFIG });
  const features = [
    'newest:id',
    'newest:value',
    'totals:row_count',
    'totals:id_sum',
    'totals:value_mean',
  ];
  const at = new Date('2026-01-20T00:00:00Z');
  await using answer = await store.getHistoricalFeatures({
    features,
    entityRows: Array.from({ length: KEYS }, (_, key) => ({ key, event_timestamp: at })),
  } as never);
  const joined = (await answer.toArray()) as Record<string, unknown>[];
  const rowCount = joined.reduce((sum, row) => sum + Number(row['row_count']), 0);
  const { same } = await store.verify({ seed: SEED });
  return { joined, rowCount, checksum: await store.checksum(), isSame: same };
}

async function killUntilDone(directory: string): Promise<void> {
  const random = seededRandom(SEED);
  let kills = 0;
  for (; kills < KILLS; kills++) {
    // Now and then while it opens, else after some of its steps.
    const steps = random() < 0.2 ? 1 : 2 + Math.floor(random() * 12);
    const delayMs = Math.floor(random() * (steps === 1 ? 400 : 25));
    if ((await runOnce(directory, steps, delayMs)) === 'done') break;
  }
  expect(kills).toBeGreaterThanOrEqual(KILLS / 2);
  expect(await runOnce(directory, null, 0)).toBe('done');
}

/** Kills the program `delayMs` after its step of that number; null lets it end. */
async function runOnce(
  directory: string,
  steps: number | null,
  delayMs: number,
): Promise<'done' | 'killed'> {
  const program = join(ROOT, 'test/fault/backfill-kill-program.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, directory], { cwd: ROOT });
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

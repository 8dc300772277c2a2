/** Foreign files into the folder of a source, part by part. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ImportResult, importFiles } from '../../src/backfill/index.ts';
import { parquetSource } from '../../src/definition/index.ts';
import { type BackfillBench, failure, withBench } from './support.ts';

const SOURCE = parquetSource({
  name: 'history',
  path: 'history',
  schema: { user: 'string', at: 'timestamp', amount: 'int64' },
  timestampField: 'at',
});
type Options = Partial<Parameters<typeof importFiles>[0]>;

describe('importing foreign files', () => {
  it('goes on behind its last part when it is stopped in between', () =>
    withBench(async (bench) => {
      await write(bench, 'in/many.parquet', rows(10_000), 2_048);
      const stopAt = (folder: string, rowsDone: number) =>
        run(bench, ['in'], {
          targetFolder: join(bench.directory, folder),
          partRows: 2_048,
          onProgress: (progress) => {
            if (progress.rowsDone >= rowsDone) throw new Error('killed');
          },
        });
      const whole = await stopAt('whole', Number.POSITIVE_INFINITY);
      for (const rowsDone of [1, 4_000, 8_000]) {
        expect((await failure(stopAt('parts', rowsDone))).message).toBe('killed');
      }
      const last = await stopAt('parts', Number.POSITIVE_INFINITY);
      expect(last).toMatchObject({ rowsRead: 10_000, rowsLoaded: 10_000 - 4 * 2_048 });
      expect(last.maxUs).toBe(whole.maxUs);
      const names = readdirSync(join(bench.directory, 'whole'));
      expect(names).toHaveLength(5);
      expect(readdirSync(join(bench.directory, 'parts'))).toEqual(names);
      for (const name of names) {
        const [a, b] = ['whole', 'parts'].map((f) => readFileSync(join(bench.directory, f, name)));
        expect(b?.equals(a as Buffer)).toBe(true);
      }
    }));

  it('takes the same rows once, also within a run, and files in the order of their first load', () =>
    withBench(async (bench) => {
      await write(bench, 'in/b.parquet', rows(3));
      copyFileSync(join(bench.directory, 'in/b.parquet'), join(bench.directory, 'in/c.parquet'));
      expect(await run(bench, ['in'])).toMatchObject({ files: 2, filesKnown: 1, rowsLoaded: 3 });
      await write(bench, 'in/a.parquet', rows(5));
      const again = await run(bench, ['in']);
      expect(again).toMatchObject({ files: 3, filesKnown: 2, rowsRead: 11, rowsLoaded: 5 });
      const stored = await load(bench);
      expect(stored.map(({ amount }) => Number(amount))).toEqual([0, 1, 2, 0, 1, 2, 3, 4]);
    }));

  it('knows hive partitions apart that have the same bytes, and takes their values as text', () =>
    withBench(async (bench) => {
      for (const user of ['007', 'a%20b', '__HIVE_DEFAULT_PARTITION__']) {
        await write(
          bench,
          `in/user=${user}/p.parquet`,
          `SELECT TIMESTAMP '2026-01-01' AS at, 1 AS amount`,
        );
      }
      const result = await run(bench, ['in']);
      expect(result).toMatchObject({ files: 3, rowsLoaded: 2, rowsBad: 1, filesKnown: 0 });
      expect((await load(bench)).map(({ user }) => user)).toEqual(['007', 'a b']);
      expect(result.badRows).toMatchObject([{ row: 0, field: 'user', value: null }]);
    }));

  it('makes parts again that were made with other columns or bounds', () =>
    withBench(async (bench) => {
      await write(bench, 'in/a.parquet', `SELECT *, amount + 1 AS other FROM (${rows(10)})`);
      await run(bench, ['in']);
      const mapped = await run(bench, ['in'], { columns: { amount: 'other' } });
      expect(mapped).toMatchObject({ rowsLoaded: 10, partsReplaced: 1 });
      expect((await load(bench))[0]).toMatchObject({ amount: 1n });
      const none = await run(bench, ['in'], { columns: { amount: '' }, untilUs: T0 + 3_000_000 });
      expect(none).toMatchObject({ rowsLoaded: 3, rowsLeft: 7, partsReplaced: 1 });
      expect((await load(bench)).map(({ amount }) => amount)).toEqual([null, null, null]);
      const coarse = await run(bench, ['in'], { partRows: 1 });
      expect(coarse).toMatchObject({ rowsLoaded: 10 });
      expect(await load(bench)).toHaveLength(10);
    }));

  it('refuses a file that has other bytes than it had, adds it, or puts it in the place of the old one', () =>
    withBench(async (bench) => {
      await write(bench, 'in/a.parquet', rows(3));
      await run(bench, ['in']);
      await write(bench, 'in/a.parquet', rows(5));
      const refused = await failure(run(bench, ['in']));
      expect(refused).toMatchObject({ code: 'BACKFILL_FILE_CHANGED' });
      expect(refused.where.file).toBe(join(bench.directory, 'in/a.parquet'));
      expect(await run(bench, ['in'], { changed: 'add' })).toMatchObject({ rowsLoaded: 5 });
      expect(await load(bench)).toHaveLength(8);
      await write(bench, 'in/a.parquet', rows(4));
      const replaced = await run(bench, ['in'], { changed: 'replace' });
      expect(replaced).toMatchObject({ rowsLoaded: 4, partsReplaced: 2 });
      expect(await load(bench)).toHaveLength(4);
      expect(await run(bench, ['in'])).toMatchObject({ rowsLoaded: 0, filesKnown: 1 });
    }));

  it('sets bad rows aside with their place, also in a run that loads nothing more', () =>
    withBench(async (bench) => {
      const bad = `SELECT CASE WHEN i % 3 = 1 THEN NULL ELSE 'u' || i END AS user, TIMESTAMP '2026-01-01' AS at,
        CASE WHEN i = 6 THEN 'nan'::DOUBLE ELSE i END AS amount FROM range(10) t(i)`;
      await write(bench, 'in/a.parquet', bad);
      const first = await run(bench, ['in']);
      expect(first).toMatchObject({ rowsLoaded: 6, rowsBad: 4 });
      const lines = readFileSync(first.badFiles[0] as string, 'utf8')
        .trim()
        .split('\n');
      const file = join(bench.directory, 'in/a.parquet');
      expect(lines.map((line) => JSON.parse(line))[2]).toEqual({
        file,
        row_group: 0,
        row: 6,
        field: 'amount',
        column: 'amount',
        reason: 'no value of type int64',
        value: 'nan',
        original: { user: 'u6', at: '2026-01-01 00:00:00', amount: 'nan' },
      });
      const { badRows, badFiles, rowsBad } = await run(bench, ['in']);
      expect({ badRows, badFiles, rowsBad }).toEqual({
        badRows: first.badRows,
        badFiles: first.badFiles,
        rowsBad: 4,
      });
      const few = await failure(run(bench, ['in'], { badRowsMax: 3 }));
      expect(few).toMatchObject({
        code: 'BACKFILL_REJECTED',
        where: { file, row: 1, column: 'user' },
      });
      expect(few.message).toContain('row 1 of row group 0');
    }));

  it('only counts in a dry run', () =>
    withBench(async (bench) => {
      await write(bench, 'in/a.parquet', `SELECT * REPLACE (NULL AS user) FROM (${rows(2)})`);
      await write(bench, 'in/b.parquet', rows(3));
      const dry = await run(bench, ['in'], { dryRun: true });
      expect(dry).toMatchObject({ rowsLoaded: 3, rowsBad: 2, badFiles: [] });
      expect(dry.badRows).toHaveLength(2);
      expect(readdirSync(bench.directory)).toEqual(['in']);
    }));

  it('names the file, and the nearest name, where a column or a field is not there', () =>
    withBench(async (bench) => {
      await write(bench, 'in/a.parquet', rows(1));
      const place = { file: join(bench.directory, 'in/a.parquet'), column: 'amout' };
      const noColumn = await failure(run(bench, ['in'], { columns: { amount: 'amout' } }));
      expect(noColumn).toMatchObject({ code: 'COLUMN_MISSING', where: place });
      const noField = await failure(run(bench, ['in'], { columns: { amout: 'amount' } }));
      expect(noField).toMatchObject({ code: 'INVALID_ARGUMENT' });
      const noKey = await failure(run(bench, ['in'], { columns: { user: '' } }));
      expect(noKey).toMatchObject({ code: 'INVALID_ARGUMENT' });
      const noFile = await failure(run(bench, ['elsewhere/*.parquet']));
      expect(noFile).toMatchObject({ code: 'PARQUET_INVALID' });
      rmSync(join(bench.directory, 'in'), { recursive: true });
      mkdirSync(join(bench.directory, 'history'));
      const own = 'history/import-000001-0123456789abcdef-0-0.parquet';
      await write(bench, own, rows(1));
      await write(bench, 'in/b.parquet', rows(1));
      expect(await failure(run(bench, ['in']))).toMatchObject({
        code: 'PARQUET_INVALID',
        where: { file: join(bench.directory, own) },
      });
    }));
});

/** 2026-01-01 in microseconds. */
const T0 = 1_767_225_600_000_000;

/** A row a second. */
function rows(count: number): string {
  return `SELECT 'u' || i % 7 AS user, make_timestamp(${T0} + i * 1_000_000) AS at, i AS amount FROM range(${count}) t(i)`;
}

async function write(
  bench: BackfillBench,
  name: string,
  sql: string,
  rowGroupRows = 122_880,
): Promise<void> {
  const path = join(bench.directory, name);
  mkdirSync(dirname(path), { recursive: true });
  await bench.duckdb.run(
    `COPY (${sql}) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE ${rowGroupRows})`,
  );
}

function run(
  { duckdb, directory }: BackfillBench,
  files: readonly string[],
  options: Options = {},
): Promise<ImportResult> {
  return importFiles({
    duckdb,
    source: SOURCE,
    baseDirectory: directory,
    files,
    requiredFields: ['user'],
    targetFolder: join(directory, 'history'),
    badFolder: join(directory, 'bad'),
    ...options,
  });
}

/** The rows of the source, in the order of files and rows. */
function load({ duckdb, directory }: BackfillBench) {
  return duckdb.query(
    `SELECT * FROM read_parquet('${join(directory, 'history', '*.parquet')}') ORDER BY filename, file_row_number`,
  );
}

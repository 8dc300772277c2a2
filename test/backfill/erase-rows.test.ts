/** Rows of one entity out of what imports have made. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eraseRows, type ImportResult, importFiles } from '../../src/backfill/index.ts';
import type { FieldType, FieldValue } from '../../src/core/field-type.ts';
import { parquetSource } from '../../src/definition/index.ts';
import { type BackfillBench, failure, withBench } from './support.ts';

/** Beyond what a JavaScript number holds: JSON.parse would take the one for the other. */
const [HUGE, NEXT] = [9_007_199_254_740_993n, 9_007_199_254_740_992n];

describe('erasing from what imports have made', () => {
  it('leaves the other rows in their order, and parts that are known', () =>
    withBench(async (bench) => {
      await write(
        bench,
        `SELECT i % 7 AS user, TIMESTAMP '2026-01-01' + to_seconds(i::INTEGER) AS at FROM range(5000) t(i)`,
      );
      await load(bench, 'int64');
      const before = await stored(bench);
      const erased = await erase(bench, 'int64', 3n);
      expect(erased).toMatchObject({ rows: 714, files: 3, badRows: 0 });
      expect(await stored(bench)).toEqual(before.filter(({ user }) => user !== 3n));
      expect(await load(bench, 'int64')).toMatchObject({ filesKnown: 1, rowsLoaded: 0 });
      expect(await erase(bench, 'int64', 3n)).toMatchObject({ rows: 0, files: 0 });
    }));

  it('keeps a part of which nothing is left, so that its file is not loaded again', () =>
    withBench(async (bench) => {
      await write(bench, `SELECT 'one' AS user, TIMESTAMP '2026-01-01' AS at FROM range(10) t(i)`);
      await load(bench, 'string');
      expect(await erase(bench, 'string', 'one')).toMatchObject({ rows: 10, files: 1 });
      const again = await load(bench, 'string');
      expect(again).toMatchObject({ filesKnown: 1, rowsLoaded: 0, minUs: null, maxUs: null });
      expect(await stored(bench)).toEqual([]);
    }));

  it.each<[FieldType, string, FieldValue, string, number]>([
    ['string', `'u' || i`, 'u3', '"u3"', 1],
    ['int64', 'i', 3n, '"user":3', 1],
    ['int64', 'i::VARCHAR', 3n, '"user":"3"', 1],
    ['int64', 'i::DOUBLE', 3n, '"user":3.0', 1],
    ['int64', `${NEXT} + i % 2`, HUGE, String(HUGE), 5],
  ])('finds bad rows of a %s key that is %s in the file', (type, sql, value, text, count) =>
    withBench(async (bench) => {
      await write(bench, `SELECT ${sql} AS user, NULL::TIMESTAMP AS at FROM range(10) t(i)`);
      const { badFiles } = await load(bench, type);
      const [file] = badFiles as [string];
      expect(readFileSync(file, 'utf8')).toContain(text);
      expect(await erase(bench, type, value)).toMatchObject({ rows: 0, badRows: count });
      expect(readFileSync(file, 'utf8')).not.toContain(text);
      expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(10 - count + 1);
    }),
  );

  it('finds bad rows of an import that was refused, whatever column has the key', () =>
    withBench(async (bench) => {
      await write(bench, `SELECT 'u' || i AS who, NULL::TIMESTAMP AS at FROM range(10) t(i)`);
      const refused = load(bench, 'string', { columns: { user: 'who' }, badRowsMax: 5 });
      expect(await failure(refused)).toMatchObject({ code: 'BACKFILL_REJECTED' });
      expect(readdirSync(join(bench.directory, 'history'))).toEqual([]);
      expect(await erase(bench, 'string', 'u3')).toMatchObject({ badRows: 1 });
      expect(await erase(bench, 'string', 'u3')).toMatchObject({ badRows: 0 });
    }));
});

const sourceOf = (type: FieldType) =>
  parquetSource({
    name: 'history',
    path: 'history',
    schema: { user: type, at: 'timestamp' },
    timestampField: 'at',
  });

const FOLDERS = { targetFolder: 'history', badFolder: 'bad' } as const;

async function write({ duckdb, directory }: BackfillBench, sql: string): Promise<void> {
  const file = join(directory, 'in.parquet');
  await duckdb.run(`COPY (${sql}) TO '${file}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`);
}

function load(
  { duckdb, directory }: BackfillBench,
  type: FieldType,
  options: Partial<Parameters<typeof importFiles>[0]> = {},
): Promise<ImportResult> {
  return importFiles({
    ...{ duckdb, source: sourceOf(type), baseDirectory: directory, files: ['in.parquet'] },
    requiredFields: ['user'],
    partRows: 2_048,
    targetFolder: join(directory, FOLDERS.targetFolder),
    badFolder: join(directory, FOLDERS.badFolder),
    ...options,
  });
}

function erase(
  { duckdb, directory }: BackfillBench,
  type: FieldType,
  user: FieldValue,
): ReturnType<typeof eraseRows> {
  return eraseRows({
    ...{ duckdb, source: sourceOf(type), keyValues: { user } },
    folders: [join(directory, FOLDERS.targetFolder)],
    badFolder: join(directory, FOLDERS.badFolder),
  });
}

function stored({ duckdb, directory }: BackfillBench) {
  return duckdb.query(
    `SELECT * FROM read_parquet('${join(directory, 'history', '*.parquet')}') ORDER BY filename, file_row_number`,
  );
}

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parquetSource } from '../../src/definition/index.ts';
import { parquetRelation, parquetTimes } from '../../src/segment/index.ts';
import { openWorkplace, type Workplace } from './support.ts';

const TIMES = "TIMESTAMP '2026-01-01 00:00:00.000001' + to_seconds(i * 7919 % 100000)";
const FIXTURES = resolve('test/fixtures/parquet');

describe('the event times of Parquet files', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await openWorkplace();
    mkdirSync(place.directory);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const source = (path: string, timestampField = 'at') =>
    parquetSource({
      name: 'past',
      path,
      schema: { [timestampField]: 'timestamp' },
      timestampField,
    });

  async function write(name: string, select: string, options = ''): Promise<string> {
    const path = join(place.directory, name);
    await place.duckdb.run(`COPY (${select}) TO '${path}' (FORMAT parquet ${options})`);
    return path;
  }

  /** What a join would find in the file. */
  async function truth(path: string, field = 'at'): Promise<{ minUs: number; maxUs: number }> {
    const { sql } = await parquetRelation(place.duckdb, source(path, field), '.');
    const [row] = await place.duckdb.query(
      `SELECT epoch_us(min("${field}"))::DOUBLE AS lo, epoch_us(max("${field}"))::DOUBLE AS hi FROM (${sql})`,
    );
    return { minUs: Number(row?.['lo']), maxUs: Number(row?.['hi']) };
  }

  it.each([
    ['microseconds', TIMES],
    ['milliseconds', `(${TIMES})::TIMESTAMP_MS`],
    ['nanoseconds', `make_timestamp_ns(epoch_ns(${TIMES}) + i % 1000)`],
    ['nanoseconds before 1970', `make_timestamp_ns(-1 - i * 1000)`],
    ['a time zone', `(${TIMES})::TIMESTAMPTZ`],
    ['dates', `(${TIMES})::DATE`],
  ])('of %s are those of its rows', async (name, sql) => {
    const path = await write(
      `${name}.parquet`,
      `SELECT ${sql} AS at FROM range(5000) t(i)`,
      ', ROW_GROUP_SIZE 2048',
    );
    const times = await parquetTimes(place.duckdb, source(path), [path]);
    expect(times.get(path)).toEqual(await truth(path));
  });

  it('are asked of many files at once', async () => {
    const paths = await Promise.all(
      [1, 2, 3].map((day) =>
        write(`day-${day}.parquet`, `SELECT TIMESTAMP '2026-01-0${day}' AS at`),
      ),
    );
    const times = await parquetTimes(place.duckdb, source('x'), paths);
    const starts = paths.map((path) => times.get(path)?.minUs);
    expect(starts).toEqual([1, 2, 3].map((day) => Date.UTC(2026, 0, day) * 1_000));
  });

  it('are not known of a file without them, nor of no file', async () => {
    const nulls = await write(
      'nulls.parquet',
      `SELECT CASE WHEN i >= 2048 THEN ${TIMES} END AS at FROM range(4096) t(i)`,
      ', ROW_GROUP_SIZE 2048',
    );
    const other = await write('other.parquet', "SELECT 'x' AS name");
    expect(await parquetTimes(place.duckdb, source('x'), [nulls, other])).toEqual(new Map());
    expect(await parquetTimes(place.duckdb, source('x'), [])).toEqual(new Map());
  });

  it.each([
    'pandas.parquet',
    'polars.parquet',
    'duckdb.parquet',
    'spark/country=FR/part-00000.parquet',
  ])('that other tools wrote to %s are right where they are known', async (name) => {
    const path = join(FIXTURES, name);
    const columns = await place.duckdb.query(`DESCRIBE SELECT * FROM read_parquet('${path}')`);
    const fields = columns
      .filter((column) => /^(TIMESTAMP|DATE)/.test(column['column_type'] as string))
      .map((column) => column['column_name'] as string);
    expect(fields).not.toEqual([]);
    for (const field of fields) {
      const times = await parquetTimes(place.duckdb, source(path, field), [path]);
      const known = times.get(path);
      if (known !== undefined) expect(known).toEqual(await truth(path, field));
    }
  });
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldType } from '../../src/core/field-type.ts';
import { type ParquetSource, parquetSource } from '../../src/definition/index.ts';
import type { SqlRow } from '../../src/duckdb/index.ts';
import { parquetRelation } from '../../src/segment/index.ts';
import { openWorkplace, type Workplace } from './support.ts';

describe("a user's Parquet history", () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await openWorkplace();
    mkdirSync(place.directory);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  async function file(name: string, select: string, options = ''): Promise<string> {
    const path = join(place.directory, name);
    await place.duckdb.run(`COPY (${select}) TO '${path}' (FORMAT parquet ${options})`);
    return path;
  }

  async function read(source: ParquetSource): Promise<SqlRow[]> {
    const { sql } = await parquetRelation(place.duckdb, source, place.directory);
    return place.duckdb.query(`SELECT * FROM (${sql}) ORDER BY _offset`);
  }

  it('reads a file with its columns mapped, arrival being the created time', async () => {
    await file(
      'mapped.parquet',
      `SELECT 'a' AS "User Id", TIMESTAMP '1970-01-01 00:00:01' AS at, TIMESTAMP '1970-01-01 00:00:02' AS made
       UNION ALL SELECT 'b', TIMESTAMP '1970-01-01 00:00:03', NULL`,
    );
    const source = parquetSource({
      name: 'past',
      path: 'mapped.parquet',
      schema: { user: 'string', at: 'timestamp', made: 'timestamp' },
      timestampField: 'at',
      createdTimestampField: 'made',
      columnMap: { user: 'User Id' },
    });
    expect(await read(source)).toEqual([
      { user: 'a', at: 1e6, made: 2e6, _partition: 0, _offset: 0n, _arrival: 2e6, _late: 0n },
      { user: 'b', at: 3e6, made: null, _partition: 0, _offset: 1n, _arrival: 3e6, _late: 0n },
    ]);
  });

  it('has no rows where the folder has no file yet, and is an error where there is no folder', async () => {
    const source = parquetSource({
      name: 'coming',
      path: 'coming',
      schema: { user: 'string', at: 'timestamp' },
      timestampField: 'at',
    });
    await expect(read(source)).rejects.toMatchObject({ code: 'PARQUET_INVALID' });
    mkdirSync(join(place.directory, 'coming'));
    expect(await read(source)).toEqual([]);
    await file('coming/a.parquet', "SELECT 'u' AS user, TIMESTAMP '1970-01-01' AS \"at\"");
    expect(await read(source)).toMatchObject([{ user: 'u', at: 0 }]);
  });

  it('reads a folder with hive partitions and files of several schemas, in file order', async () => {
    for (const [day, columns] of [
      ['2026-01-02', "'new' AS note"],
      ['2026-01-01', '1 AS other'],
    ]) {
      mkdirSync(join(place.directory, 'days', `day=${day}`), { recursive: true });
      await file(`days/day=${day}/part.parquet`, `SELECT ${columns} FROM range(2)`);
    }
    const source = parquetSource({
      name: 'days',
      path: 'days',
      schema: { day: 'timestamp', note: 'string' },
      timestampField: 'day',
    });
    const rows = await read(source);
    expect(rows.map((row) => [row['day'], row['note'], row['_offset']])).toEqual([
      [Date.UTC(2026, 0, 1) * 1000, null, 0n],
      [Date.UTC(2026, 0, 1) * 1000, null, 1n],
      [Date.UTC(2026, 0, 2) * 1000, 'new', 4294967296n],
      [Date.UTC(2026, 0, 2) * 1000, 'new', 4294967297n],
    ]);
  });

  it('reads a glob', async () => {
    await file('glob-1.parquet', "SELECT TIMESTAMP '1970-01-01' AS at");
    await file('glob-2.parquet', "SELECT TIMESTAMP '1970-01-02' AS at");
    const schema = { at: 'timestamp' } as const;
    const source = parquetSource({
      name: 'g',
      path: 'glob-*.parquet',
      schema,
      timestampField: 'at',
    });
    expect(await read(source)).toHaveLength(2);
  });

  const casts: [type: FieldType, sql: string, value: unknown][] = [
    ['int32', '5::BIGINT', 5],
    ['int32', '200::UTINYINT', 200],
    ['int64', '5::UINTEGER', 5n],
    ['int64', '9::DECIMAL(38, 0)', 9n],
    ['float64', '3::BIGINT', 3],
    ['float64', '1.25::DECIMAL(9, 2)', 1.25],
    ['float64', 'NULL::BIGINT', null],
    ['float32', '0.1::DOUBLE', Math.fround(0.1)],
    ['string', "'x'::ENUM('x', 'y')", 'x'],
    ['timestamp', "TIMESTAMPTZ '2026-01-01 00:00:00+02'", Date.UTC(2025, 11, 31, 22) * 1000],
    ['timestamp', "TIMESTAMP_NS '1969-12-31 23:59:59.999999999'", -1],
    ['timestamp', "TIMESTAMP_NS '2026-01-01 00:00:00.000001999'", Date.UTC(2026, 0, 1) * 1000 + 1],
    ['timestamp', "DATE '1970-01-02'", 86_400_000_000],
    ['json', "{a: 1, b: ['x']}", '{"a":1,"b":["x"]}'],
    ['int64[]', '[1, 2]::INTEGER[]', [1n, 2n]],
    ['float64[]', '[1.5, 2.5]::FLOAT[2]', [1.5, 2.5]],
  ];
  for (const [type, sql, value] of casts) {
    it(`reads ${sql} as ${type}`, async () => {
      await file('cast.parquet', `SELECT ${sql} AS v, TIMESTAMP '1970-01-01' AS at`);
      const [row] = await read(valueSource(type));
      expect(row?.['v']).toEqual(value);
    });
  }

  const refused: [type: FieldType, sql: string, code: string][] = [
    ['int32', '1.5::DOUBLE', 'PARQUET_INVALID'],
    ['int32', "'1'", 'PARQUET_INVALID'],
    ['int32', '5000000000', 'VALUE_TYPE'],
    ['int64', '9223372036854775808::UBIGINT', 'VALUE_TYPE'],
    ['int64', '9223372036854775808::DECIMAL(38, 0)', 'VALUE_TYPE'],
    ['int64', '1.5::DECIMAL(9, 1)', 'PARQUET_INVALID'],
    ['float64', '9007199254740993', 'VALUE_TYPE'],
    ['float64', '1.5::DECIMAL(20, 1)', 'PARQUET_INVALID'],
    ['timestamp', "'2026-01-01'", 'PARQUET_INVALID'],
    ['timestamp', '0', 'PARQUET_INVALID'],
    ['string', '1', 'PARQUET_INVALID'],
    ['bool', '1', 'PARQUET_INVALID'],
    ['string[]', "'x'", 'PARQUET_INVALID'],
    ['int32[]', '[1.5]', 'PARQUET_INVALID'],
  ];
  for (const [type, sql, code] of refused) {
    it(`refuses ${sql} as ${type}`, async () => {
      await file('refused.parquet', `SELECT ${sql} AS v, TIMESTAMP '1970-01-01' AS at`);
      const source = { ...valueSource(type), path: 'refused.parquet' };
      await expect(read(source)).rejects.toMatchObject({ code });
    });
  }

  it('names a missing column, its file and the nearest one', async () => {
    const path = await file('near.parquet', "SELECT 1 AS vv, TIMESTAMP '1970-01-01' AS at");
    const error = read({ ...valueSource('int32'), path: 'near.parquet' });
    await expect(error).rejects.toMatchObject({
      code: 'COLUMN_MISSING',
      message: `${path} has no column "v". Did you mean "vv"?`,
      where: { source: 'values', column: 'v', file: path },
    });
  });

  it('names a file that is not there, or is not Parquet', async () => {
    writeFileSync(join(place.directory, 'text.parquet'), 'some text that is no Parquet at all');
    for (const path of ['nowhere.parquet', 'text.parquet']) {
      await expect(read({ ...valueSource('int32'), path })).rejects.toMatchObject({
        code: 'PARQUET_INVALID',
        message: expect.stringContaining(path),
      });
    }
  });
});

function valueSource(type: FieldType): ParquetSource {
  return parquetSource({
    name: 'values',
    path: 'cast.parquet',
    schema: { v: type, at: 'timestamp' } as const,
    timestampField: 'at',
  });
}

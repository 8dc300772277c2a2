import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldType } from '../../src/core/field-type.ts';
import { type Column, columnValue, makeColumn } from '../../src/core/row-batch.ts';
import { type Duckdb, fieldTypeToSql, openDuckdb } from '../../src/duckdb/index.ts';
import { FreshetError } from '../../src/errors.ts';

let directory: string;
let duckdb: Duckdb;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-duckdb-'));
  duckdb = await openDuckdb({
    memoryLimitBytes: 256 * 1024 * 1024,
    threads: 1,
    tempDirectory: join(directory, 'spill'),
  });
});

afterAll(async () => {
  await duckdb.close();
  rmSync(directory, { recursive: true });
});

describe('settings', () => {
  it('keeps UTC on every connection and never loads extensions', async () => {
    await using connection = await duckdb.connect();
    const [row] = await connection.query(
      `SELECT current_setting('TimeZone') AS zone,
              current_setting('autoload_known_extensions') AS autoload,
              TIMESTAMPTZ '2026-01-01 00:00:00+02'::TIMESTAMP AS utc`,
    );
    expect(row).toEqual({ zone: 'UTC', autoload: false, utc: Date.UTC(2025, 11, 31, 22) * 1000 });
  });
});

describe('query', () => {
  it('maps every SQL type to the value that Freshet returns', async () => {
    const [row] = await duckdb.query(`SELECT
      1::TINYINT AS a, -2::INTEGER AS b, 9223372036854775807 AS c, 18::UBIGINT AS d,
      sum(i)::HUGEINT AS e, 1.5::FLOAT AS f, -0.0::DOUBLE AS g, 12.34::DECIMAL(10, 2) AS h,
      TRUE AS i, '\\x01\\x00'::BLOB AS j, 'a long string of text' AS k, NULL::INTEGER AS l,
      TIMESTAMP '1960-01-01 00:00:00.000001' AS m, TIMESTAMP_S '2026-01-01' AS n,
      TIMESTAMP_MS '2026-01-01' AS o, TIMESTAMP_NS '1969-12-31 23:59:59.999999999' AS p,
      DATE '1969-12-31' AS q, [1, 2] AS r, ['x', NULL][1:1] AS s, [1.5, 2.5]::DOUBLE[2] AS t,
      '00000000-0000-0000-0000-000000000001'::UUID AS u, TIME '01:02:03' AS v, {x: 1} AS w,
      [TRUE, FALSE] AS x, [TIMESTAMP '1970-01-01 00:00:01'] AS y, 4294967295::UINTEGER AS z
      FROM range(3) t(i)`);
    expect(row).toEqual({
      a: 1,
      b: -2,
      c: 9223372036854775807n,
      d: 18n,
      e: 3n,
      f: 1.5,
      g: -0,
      h: 12.34,
      i: true,
      j: Uint8Array.of(1, 0),
      k: 'a long string of text',
      l: null,
      m: Date.UTC(1960, 0, 1) * 1000 + 1,
      n: Date.UTC(2026, 0, 1) * 1000,
      o: Date.UTC(2026, 0, 1) * 1000,
      p: -1,
      q: -86_400_000_000,
      r: [1, 2],
      s: ['x'],
      t: [1.5, 2.5],
      u: '00000000-0000-0000-0000-000000000001',
      v: '01:02:03',
      w: "{'x': 1}",
      x: [true, false],
      y: [1_000_000],
      z: 4294967295n,
    });
  });

  it('takes parameters of every kind', async () => {
    const [row] = await duckdb.query('SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, $5 AS e', [
      'x',
      2n,
      null,
      Uint8Array.of(7),
      new Date(5),
    ]);
    expect(row).toEqual({ a: 'x', b: 2n, c: null, d: Uint8Array.of(7), e: 5000 });
  });

  it('refuses an integer that int64 cannot hold', async () => {
    await expect(duckdb.query('SELECT 18446744073709551615::UBIGINT AS big')).rejects.toMatchObject(
      {
        code: 'VALUE_TYPE',
        where: { column: 'big' },
      },
    );
  });

  it('refuses an array with a null element', async () => {
    await expect(duckdb.query('SELECT [1, NULL] AS xs')).rejects.toMatchObject({
      code: 'VALUE_TYPE',
      where: { column: 'xs' },
    });
  });
});

describe('stream', () => {
  it('gives every row once, in chunks, with nulls across word borders', async () => {
    const sql = 'SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE i END AS n FROM range(5000) t(i)';
    const seen: unknown[] = [];
    for await (const chunk of duckdb.stream(sql)) {
      expect(chunk.types).toEqual(['int64', 'int64']);
      const column = chunk.column(1);
      for (let i = 0; i < chunk.rowCount; i++) seen.push(columnValue(column, i));
    }
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? null : BigInt(i))));
  });

  it('can be broken off, and other statements run meanwhile', async () => {
    for await (const chunk of duckdb.stream('SELECT * FROM range(10000000)')) {
      expect(chunk.rowCount).toBeGreaterThan(0);
      expect(await duckdb.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      break;
    }
  });

  it('is not cut short by another statement on its connection: that one is refused', async () => {
    await using connection = await duckdb.connect();
    for await (const chunk of connection.stream('SELECT * FROM range(10000)')) {
      expect(chunk.rowCount).toBeGreaterThan(0);
      await expect(connection.query('SELECT 1')).rejects.toThrow(/stream/);
      break;
    }
    expect(await connection.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float32: fc.float(),
  float64: fc.double(),
  string: fc.string({ unit: 'binary', maxLength: 20 }),
  bool: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 20 }),
  timestamp: fc.integer({ min: -8e15, max: 8e15 }).map((us) => us + 0),
};

describe('appender', () => {
  const types = [...Object.keys(VALUES), ...Object.keys(VALUES).map((type) => `${type}[]`)];
  for (const type of types as FieldType[]) {
    it(`round-trips ${type} bit for bit`, async () => {
      const one = VALUES[type.replace('[]', '')] as fc.Arbitrary<unknown>;
      const value = type.endsWith('[]') ? fc.array(one, { maxLength: 5 }) : one;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.option(value), { maxLength: 80 }), async (values) => {
          await using connection = await duckdb.connect();
          expect(await roundTrip(connection, type, values)).toStrictEqual(values);
        }),
        { numRuns: 15 },
      );
    });
  }

  it('appends more rows than one chunk, and any range of them', async () => {
    await using connection = await duckdb.connect();
    const values = Array.from({ length: 6000 }, (_, i) => (i % 7 === 0 ? null : `row ${i}`));
    const column = columnOf('string', values);
    await connection.run('CREATE TEMP TABLE t (v VARCHAR)');
    const appender = await connection.appender('t', ['string']);
    appender.append([column], 5, 5000);
    appender.close();
    const rows = await connection.query('SELECT v FROM t');
    expect(rows.map((row) => row['v'])).toEqual(values.slice(5, 5000));
  });

  it('keeps json as canonical text', async () => {
    await using connection = await duckdb.connect();
    expect(await roundTrip(connection, 'json', [{ b: 1, a: [null] }, null])).toEqual([
      '{"a":[null],"b":1}',
      null,
    ]);
  });
});

describe('errors', () => {
  const cases: [sql: string, code: string, message: RegExp][] = [
    ['SELECT x FROM (SELECT 1 AS y)', 'COLUMN_MISSING', /"x".*"y"/],
    ["SELECT * FROM read_parquet('/nope/*.parquet')", 'PARQUET_INVALID', /\/nope\/\*\.parquet/],
    ['SELEC 1', 'QUERY_INVALID', /SELEC/],
    [
      "COPY (SELECT range FROM range(100000)) TO '/dev/full' (FORMAT parquet, USE_TMP_FILE false)",
      'DISK_FULL',
      /\/dev\/full/,
    ],
    ["COPY (SELECT 1) TO '/nope/x.parquet' (FORMAT parquet)", 'DISK_FAILED', /\/nope\/x/],
  ];
  for (const [sql, code, message] of cases) {
    it(`reports ${code} for ${sql.slice(0, 40)}`, async () => {
      const error = await duckdb.run(sql).then(
        () => null,
        (thrown: unknown) => thrown as FreshetError,
      );
      expect(error).toBeInstanceOf(FreshetError);
      expect(error?.code).toBe(code);
      expect(error?.message).toMatch(message);
      expect(error?.message).not.toContain('LINE 1');
    });
  }

  it('names the file that is not Parquet', async () => {
    const file = join(directory, 'text.parquet');
    writeFileSync(file, 'this is not a Parquet file, and long enough');
    await expect(duckdb.query(`SELECT * FROM read_parquet('${file}')`)).rejects.toMatchObject({
      code: 'PARQUET_INVALID',
      message: expect.stringContaining('text.parquet'),
    });
  });

  it('reports QUERY_OUT_OF_MEMORY when the limit is reached', async () => {
    const small = await openDuckdb({
      memoryLimitBytes: 20_000_000,
      threads: 1,
      tempDirectory: join(directory, 'small'),
    });
    await expect(
      small.query(
        'SELECT i, arg_max({a: i, b: i::VARCHAR}, i) AS m FROM range(3000000) t(i) GROUP BY i LIMIT 1',
      ),
    ).rejects.toMatchObject({ code: 'QUERY_OUT_OF_MEMORY' });
    await small.close();
  });
});

async function roundTrip(
  connection: Pick<Duckdb, 'run' | 'appender' | 'query'>,
  type: FieldType,
  values: readonly unknown[],
): Promise<unknown[]> {
  await connection.run(`CREATE TEMP TABLE t (v ${fieldTypeToSql(type)})`);
  const appender = await connection.appender('t', [type]);
  appender.append([columnOf(type, values)], 0, values.length);
  appender.close();
  const rows = await connection.query('SELECT v FROM t');
  return rows.map((row) => row['v']);
}

function columnOf(type: FieldType, values: readonly unknown[]): Column {
  const column = makeColumn(type, values.length);
  values.forEach((value, i) => {
    if (value === null) return;
    column.valid[i] = 1;
    (column.values as unknown[])[i] = type === 'bool' ? Number(value) : value;
  });
  return column;
}

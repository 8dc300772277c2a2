import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Duckdb, openDuckdb } from '../../src/duckdb/index.ts';

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

describe('a column of a result', () => {
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

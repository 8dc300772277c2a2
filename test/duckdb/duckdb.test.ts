import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { columnValue } from '../../src/core/row-batch.ts';
import { type Duckdb, openDuckdb } from '../../src/duckdb/index.ts';
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

describe('a file', () => {
  it('is read as it is now, however shortly after it was written before', async () => {
    const file = join(directory, 'rewritten.parquet');
    const versions = await Promise.all(
      ['one', 'two'].map(async (text) => {
        const made = join(directory, `${text}.parquet`);
        await duckdb.run(
          `COPY (SELECT 1 AS i) TO '${made}' (FORMAT parquet, KV_METADATA {'text': '${text}'})`,
        );
        return { text, bytes: readFileSync(made) };
      }),
    );
    const sql = `SELECT decode(value) AS text FROM parquet_kv_metadata('${file}')`;
    for (let k = 0; k < 300; k++) {
      const { text, bytes } = versions[k % 2]!;
      writeFileSync(file, bytes);
      expect(await duckdb.query(sql), `write ${k}`).toEqual([{ text }]);
    }
  });
});

describe('query', () => {
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

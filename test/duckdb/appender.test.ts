import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldType } from '../../src/core/field-type.ts';
import { type Column, makeColumn } from '../../src/core/row-batch.ts';
import { type Duckdb, fieldTypeToSql, openDuckdb } from '../../src/duckdb/index.ts';

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

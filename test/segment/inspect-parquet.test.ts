import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectParquet, sampleRows } from '../../src/segment/index.ts';
import { openWorkplace, type Workplace } from './support.ts';

describe('a Parquet file', () => {
  let place: Workplace;
  let file: string;
  beforeAll(async () => {
    place = await openWorkplace();
    mkdirSync(place.directory);
    file = join(place.directory, 'some.parquet');
    await place.duckdb.run(
      `COPY (SELECT i AS id, CASE WHEN i > 0 THEN 'x' || i END AS name, [i] AS list,
               TIMESTAMP '2026-01-01' AS at, i::DECIMAL(38, 2) AS price FROM range(5000) t(i))
       TO '${file}' (FORMAT parquet, ROW_GROUP_SIZE 2048, KV_METADATA {owner: 'someone'})`,
    );
  });
  afterAll(() => place[Symbol.asyncDispose]());

  it('is described with its columns, bounds and metadata', async () => {
    const described = await inspectParquet(place.duckdb, file);
    expect(described).toMatchObject({
      file,
      rowCount: 5000,
      rowGroupCount: 3,
      metadata: { owner: 'someone' },
    });
    expect(described.createdBy).toContain('DuckDB');
    const columns = described.columns.map(({ compressedBytes: _, ...column }) => column);
    expect(columns).toEqual([
      { name: 'id', sqlType: 'BIGINT', fieldType: 'int64', min: '0', max: '4999', nullCount: 0 },
      {
        name: 'name',
        sqlType: 'VARCHAR',
        fieldType: 'string',
        min: 'x1',
        max: 'x999',
        nullCount: 1,
      },
      {
        name: 'list',
        sqlType: 'BIGINT[]',
        fieldType: 'int64[]',
        min: '[0]',
        max: '[4999]',
        nullCount: 0,
      },
      {
        name: 'at',
        sqlType: 'TIMESTAMP',
        fieldType: 'timestamp',
        min: '2026-01-01 00:00:00',
        max: '2026-01-01 00:00:00',
        nullCount: 0,
      },
      {
        name: 'price',
        sqlType: 'DECIMAL(38,2)',
        fieldType: null,
        min: '0.00',
        max: '4999.00',
        nullCount: 0,
      },
    ]);
    expect(described.columns.every(({ compressedBytes }) => compressedBytes > 0)).toBe(true);
  });

  it('shows its first rows', async () => {
    expect(await sampleRows(place.duckdb, file, 2)).toEqual([
      { id: 0n, name: null, list: [0n], at: 1767225600000000, price: 0 },
      { id: 1n, name: 'x1', list: [1n], at: 1767225600000000, price: 1 },
    ]);
  });

  it('that is not there is named', async () => {
    await expect(inspectParquet(place.duckdb, '/nowhere.parquet')).rejects.toMatchObject({
      code: 'PARQUET_INVALID',
      message: expect.stringContaining('/nowhere.parquet'),
    });
  });
});

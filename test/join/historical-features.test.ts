import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../src/core/fs.ts';
import { buildCatalog } from '../../src/definition/index.ts';
import { createHistoricalReader } from '../../src/join/index.ts';
import { nodeFileSystem } from '../../src/segment/index.ts';
import { AT, definitions, expectError, useWeather } from './weather.ts';

const world = useWeather();

describe('reading the answer', () => {
  const ask = () =>
    world.reader().getHistoricalFeatures({
      features: ['weather:temperature', 'weather:wind', 'feels:reasons'],
      entityRows: [
        { airport: 'LAX', event_timestamp: AT, sensitivity: 1, list: [1n, 2n] },
        {
          airport: 'SFO',
          event_timestamp: '2025-01-01T12:00:00.000001Z',
          sensitivity: 2,
          list: null,
        },
      ],
    });

  it('row by row gives what the array gives, twice and at the same time', async () => {
    const features = await ask();
    const rows: unknown[] = [];
    const [array] = await Promise.all([
      features.toArray(),
      (async () => {
        for await (const row of features) rows.push(row);
      })(),
    ]);
    expect(rows).toEqual(array);
    expect(rows).toHaveLength(2);
  });

  it('gives an Arrow table and an Arrow file with the same values', async () => {
    const features = await ask();
    const path = join(world.fixture.directory, 'out', 'features.arrow');
    await features.toArrowFile(path);
    for (const table of [await features.toArrow(), tableFromIPC(await readFile(path))]) {
      expect(table.numRows).toBe(2);
      expect(
        String(table.schema.fields.find(({ name }) => name === 'event_timestamp')?.type),
      ).toContain('MICROSECOND');
      expect(table.getChild('temperature')?.toArray()).toEqual(new Int32Array([22, 12]));
      expect([...(table.getChild('wind') ?? [])]).toEqual([null, 3.5]);
      expect([...(table.getChild('airport') ?? [])]).toEqual(['LAX', 'SFO']);
      expect([...(table.getChild('reasons') ?? [])]).toEqual([
        '{"known":true,"sensitivity":1}',
        '{"known":true,"sensitivity":2}',
      ]);
      expect([...(table.getChild('list')?.get(0) ?? [])]).toEqual([1n, 2n]);
      expect(table.getChild('list')?.get(1)).toBeNull();
    }
  });

  it('gives Parquet and CSV files', async () => {
    const features = await ask();
    const parquet = join(world.fixture.directory, 'out.parquet');
    const csv = join(world.fixture.directory, 'out.csv');
    await features.toParquet(parquet);
    await features.toCsv(csv);
    expect(await world.fixture.duckdb.query(`SELECT * FROM '${parquet}'`)).toEqual(
      (await features.toArray()).map((row) => ({
        ...row,
        reasons: JSON.stringify({ known: true, sensitivity: row['sensitivity'] }),
      })),
    );
    expect((await readFile(csv, 'utf8')).split('\n')[2]).toBe(
      'SFO,2025-01-01T12:00:00.000001Z,2.0,,12,3.5,"{""known"":true,""sensitivity"":2}"',
    );
  });

  it('leaves no file behind when writing fails, and keeps the one that was there', async () => {
    const path = join(world.fixture.directory, 'out', 'features.parquet');
    const full: FileSystem = {
      ...nodeFileSystem,
      syncFile: async () => {
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      },
    };
    const failing = createHistoricalReader({
      duckdb: world.fixture.duckdb,
      catalog: buildCatalog(definitions),
      clock: world.fixture.clock,
      rowsOf: async (view) => world.fixture.relations.get(view.name) ?? [],
      fs: full,
    });
    await (await ask()).toParquet(path);
    const before = await readFile(path);
    const features = await failing.getHistoricalFeatures({
      features: ['weather:temperature'],
      entityRows: [{ airport: 'LAX', event_timestamp: AT }],
    });
    for (const write of [
      () => features.toParquet(path),
      () => features.toCsv(path),
      () => features.toArrowFile(path),
    ]) {
      await expectError(write(), 'DISK_FULL', path);
    }
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(join(world.fixture.directory, 'out'))).toEqual(['features.parquet']);
  });

  it('ends when it is closed, which leaves no table', async () => {
    const features = await ask();
    await features.toArray();
    await features.close();
    await features.close();
    await expectError(features.toArray(), 'STORE_CLOSED', 'closed');
    expect(await world.fixture.duckdb.query('SELECT table_name FROM duckdb_tables()')).toEqual([]);
  });

  it('leaves no table when the request fails', async () => {
    await expectError(
      world.reader().getHistoricalFeatures({
        features: ['weather:wind'],
        entityRows: [{ airport: 1.5, event_timestamp: AT }],
      }),
      'VALUE_TYPE',
      'airport',
    );
    expect(await world.fixture.duckdb.query('SELECT table_name FROM duckdb_tables()')).toEqual([]);
  });
});

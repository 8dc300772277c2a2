import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topicSource } from '../../src/definition/index.ts';
import { type Duckdb, openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import {
  createFeatureProducer,
  inputFormatOf,
  type ProduceProgress,
  produceRows,
  type RowInput,
  type RowsRead,
  readRows,
} from '../../src/producer/index.ts';
import { AppendedLog } from './support.ts';

const source = topicSource({
  name: 'rides',
  topic: 'rides',
  format: 'json',
  schema: {
    at: 'timestamp',
    city: 'string',
    fare: 'int64',
    rate: 'float32',
    paid: 'bool',
    tags: 'string[]',
    extra: 'json',
  },
  timestampField: 'at',
});

const ROW = {
  at: '2026-01-31T12:00:00.000001Z',
  city: '007',
  fare: '9007199254740993',
  rate: 0.5,
  paid: true,
  tags: ['a', 'b'],
  extra: { a: [1] },
};

describe('reading rows', () => {
  let folder: string;
  let duckdb: Duckdb;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-rows-'));
    duckdb = await openDuckdb({ threads: 1, tempDirectory: join(folder, 'spill') });
  });
  afterAll(async () => {
    await duckdb.close();
    await rm(folder, { recursive: true });
  });

  async function read(input: RowInput, columnMap = {}): Promise<RowsRead[]> {
    const reader = await readRows({ input, source, duckdb, columnMap });
    const batches: RowsRead[] = [];
    for await (const batch of reader.batches) batches.push(batch);
    return batches;
  }

  async function produce(input: RowInput, strict = false, log = new AppendedLog()) {
    const producer = await createFeatureProducer({ log: log.log, source });
    const seen: ProduceProgress[] = [];
    const reader = await readRows({ input, source, duckdb });
    const onProgress = (progress: ProduceProgress): void => {
      seen.push(progress);
    };
    const result = await produceRows({ producer, reader, onProgress, strict });
    const values = log.records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()));
    return { result, seen, values };
  }

  async function parquet(name: string, select: string): Promise<RowInput> {
    const path = join(folder, name);
    await duckdb.run(`COPY (${select}) TO ${quoteLiteral(path)} (FORMAT parquet)`);
    return { format: 'parquet', path };
  }

  async function file(format: 'csv' | 'ndjson', name: string, text: string): Promise<RowInput> {
    const path = join(folder, name);
    await writeFile(path, text);
    return { format, path };
  }

  const PARQUET_ROW = `TIMESTAMP '2026-01-31 12:00:00.000001' AS at, '007' AS city,
    9007199254740993 AS fare, 0.5::DOUBLE AS rate, true AS paid, ['a', 'b'] AS tags,
    '{"a":[1]}' AS extra`;

  it('gives the same rows from Parquet, CSV and newline-delimited JSON', async () => {
    const csv = `at,city,fare,rate,paid,tags,extra,other
2026-01-31 12:00:00.000001,007,9007199254740993,0.5,true,"[""a"",""b""]","{""a"":[1]}",x\n`;
    for (const input of [
      await parquet('same.parquet', `SELECT ${PARQUET_ROW}`),
      await file('csv', 'same.csv', csv),
      await file('ndjson', 'same.ndjson', JSON.stringify(ROW)),
    ]) {
      const { result, values } = await produce(input);
      expect([input.format, result.rejects, values]).toEqual([input.format, [], [ROW]]);
    }
  });

  it('keeps the order and counts the rows of Parquet beforehand', async () => {
    const input = await parquet(
      'many.parquet',
      `SELECT * EXCLUDE (i) REPLACE (i AS fare) FROM (SELECT ${PARQUET_ROW}, range AS i FROM range(5000))`,
    );
    const { result, seen, values } = await produce(input);
    expect(result).toMatchObject({ rowsSent: 5000, rowsRejected: 0, rowsTotal: 5000 });
    expect(values.map(({ fare }) => fare)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toEqual(result);
  });

  it('says which rows were refused, by number, and sends the others', async () => {
    const good = JSON.stringify(ROW);
    const bad = JSON.stringify({ ...ROW, fare: 1.5 });
    const lines = [good, '', '{"at":', bad, good].join('\r\n');
    const input = await file('ndjson', 'bad.ndjson', lines);
    const { result } = await produce(input);
    expect(result).toMatchObject({ rowsSent: 2, rowsRejected: 2 });
    expect(result.rejects.map(({ index, code }) => [index, code])).toEqual([
      [3, 'ROW_UNDECODABLE'],
      [4, 'ROW_TYPE'],
    ]);
    await expect(produce(input, true)).rejects.toMatchObject({ where: { row: 3 } });
  });

  it('sends nothing behind a refused row when it is strict', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) =>
      JSON.stringify(i === 5_000 ? { ...ROW, paid: 'never' } : ROW),
    );
    const input = await file('ndjson', 'strict.ndjson', lines.join('\n'));
    const log = new AppendedLog();
    await expect(produce(input, true, log)).rejects.toMatchObject({ where: { row: 5_001 } });
    expect(log.records.length).toBeLessThan(5_000);
  });

  it('refuses JSON text in a table that is not JSON, by row', async () => {
    const input = await file(
      'csv',
      'json.csv',
      'at,city,fare,rate,paid,tags,extra\n2026-01-01,a,1,1,1,,word\n2026-01-01,,1,1,no,[],\n',
    );
    const { result, values } = await produce(input);
    expect(result.rejects).toMatchObject([{ index: 1, code: 'ROW_TYPE' }]);
    expect(values).toMatchObject([{ city: null, paid: false, tags: [], extra: null }]);
  });

  it('reads a column under another name, and names a column that is not there', async () => {
    const input = await parquet(
      'renamed.parquet',
      `SELECT ${PARQUET_ROW.replace('AS city', 'AS town')}`,
    );
    expect((await read(input, { city: 'town' }))[0]!.rows[0]).toMatchObject({ city: '007' });
    await expect(read(input)).rejects.toMatchObject({ code: 'COLUMN_MISSING' });
    await expect(read(input, { city: 'twon' })).rejects.toThrow('Did you mean "town"?');
  });

  it('reads a stream whose chunks end anywhere, also inside a letter', async () => {
    const bytes = Buffer.from(
      `${JSON.stringify({ city: 'é😀' })}\n${JSON.stringify({ city: 'b' })}`,
    );
    const stream = (async function* () {
      for (const byte of bytes) yield Uint8Array.of(byte);
    })();
    const batches = await read({ format: 'ndjson', stream });
    expect(batches.flatMap(({ rows }) => rows)).toEqual([{ city: 'é😀' }, { city: 'b' }]);
    expect(batches.flatMap(({ numbers }) => numbers)).toEqual([1, 2]);
  });

  it('fails for a file that is not there', async () => {
    const path = join(folder, 'none');
    await expect(read({ format: 'ndjson', path })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      where: { file: path },
    });
    await expect(read({ format: 'parquet', path })).rejects.toMatchObject({
      code: expect.stringMatching(/PARQUET_INVALID|INVALID_ARGUMENT/),
    });
  });

  it('knows a format by the name of the file', () => {
    const formats = ['a.parquet', 'b.CSV', 'c.csv.gz', 'd.jsonl'].map(inputFormatOf);
    expect(formats).toEqual(['parquet', 'csv', 'csv', 'ndjson']);
    expect(() => inputFormatOf('e.xlsx')).toThrow('not clear');
  });
});

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { columnValue, type RowBatch } from '../../src/core/row-batch.ts';
import { NO_CREATED_TIME_US } from '../../src/core/row-order.ts';
import { parquetSource } from '../../src/definition/index.ts';
import {
  parquetRelation,
  type StreamBatchesOptions,
  streamBatches,
} from '../../src/segment/index.ts';
import { openWorkplace, type Workplace } from './support.ts';

const SOURCE = parquetSource({
  name: 'past',
  path: 'past.parquet',
  schema: { id: 'int64', note: 'json', at: 'timestamp', made: 'timestamp' },
  timestampField: 'at',
  createdTimestampField: 'made',
});

describe('rows of a Parquet source as batches', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await openWorkplace();
    mkdirSync(place.directory);
    await place.duckdb.run(
      `COPY (SELECT i AS id, CASE WHEN i % 2 = 0 THEN '{"b": 1, "a": 2}' END AS note,
               make_timestamp(i * 10) AS at,
               CASE WHEN i % 3 = 0 THEN make_timestamp(i * 10 + 1) END AS made
             FROM range(5000) t(i)
             UNION ALL SELECT -1, NULL, NULL, NULL)
       TO '${join(place.directory, 'past.parquet')}' (FORMAT parquet)`,
    );
  });
  afterAll(() => place[Symbol.asyncDispose]());

  async function collect(options?: StreamBatchesOptions): Promise<RowBatch[]> {
    const relation = await parquetRelation(place.duckdb, SOURCE, place.directory);
    const batches: RowBatch[] = [];
    for await (const batch of streamBatches(place.duckdb, relation, SOURCE, options)) {
      batches.push(batch);
    }
    return batches;
  }

  const idsOf = (batches: readonly RowBatch[]): number[] =>
    batches.flatMap((batch) =>
      Array.from({ length: batch.count }, (_, i) => Number(columnValue(batch.columns[0]!, i))),
    );

  it('come in file order, each once, without those that have no event time', async () => {
    const batches = await collect();
    expect(batches.length).toBeGreaterThan(1);
    expect(idsOf(batches)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    expect(batches.flatMap((batch) => [...batch.offsets])).toEqual(idsOf(batches));
  });

  it('have event, created and arrival times, and json as values', async () => {
    const [batch] = await collect();
    expect([...batch!.eventTimesUs.subarray(0, 4)]).toEqual([0, 10, 20, 30]);
    expect([...batch!.createdTimesUs.subarray(0, 4)]).toEqual([
      1,
      NO_CREATED_TIME_US,
      NO_CREATED_TIME_US,
      31,
    ]);
    expect([...batch!.arrivalTimesUs.subarray(0, 4)]).toEqual([1, 10, 20, 31]);
    expect([0, 1].map((i) => columnValue(batch!.columns[1]!, i))).toEqual([{ b: 1, a: 2 }, null]);
  });

  it('can be cut to a range of event time, its end excluded', async () => {
    expect(idsOf(await collect({ fromUs: 100, toUs: 130 }))).toEqual([10, 11, 12]);
    expect(idsOf(await collect({ fromUs: 49_985 }))).toEqual([4999]);
    expect(idsOf(await collect({ toUs: 0 }))).toEqual([]);
  });

  it('name the column whose text is not JSON', async () => {
    const path = join(place.directory, 'bad.parquet');
    await place.duckdb.run(
      `COPY (SELECT 1 AS id, '{' AS note, make_timestamp(0) AS at, make_timestamp(0) AS made)
       TO '${path}' (FORMAT parquet)`,
    );
    const source = { ...SOURCE, path };
    const relation = await parquetRelation(place.duckdb, source, place.directory);
    const reading = (async () => {
      for await (const batch of streamBatches(place.duckdb, relation, source)) void batch;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'VALUE_TYPE', where: { column: 'note' } });
  });
});

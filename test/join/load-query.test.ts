import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { entity, featureView, parquetSource } from '../../src/definition/index.ts';
import { quoteLiteral } from '../../src/duckdb/index.ts';
import { batchRelation } from './fixture.ts';
import { AT, expectError, us, useWeather } from './weather.ts';

const world = useWeather();

describe('entity rows in files', () => {
  const ask = (entityRows: unknown, features = ['weather:temperature']) =>
    world.reader().getHistoricalFeatures({ features, entityRows } as never);

  it('come from Parquet and CSV files and from queries alike', async () => {
    const parquet = join(world.fixture.directory, 'labels.parquet');
    await world.fixture.duckdb.run(
      `COPY (SELECT 'LAX' AS airport, TIMESTAMP '2025-01-01 12:00:00' AS event_timestamp, 1.5::DECIMAL(4,2) AS y) TO ${quoteLiteral(parquet)} (FORMAT parquet)`,
    );
    const csv = join(world.fixture.directory, 'labels.csv');
    await writeFile(csv, 'airport,event_timestamp,y\nLAX,2025-01-01T13:00:00+01:00,1.5\n');
    const sql = `SELECT airport, event_timestamp::VARCHAR AS event_timestamp, y FROM '${parquet}';`;
    for (const entityRows of [{ parquet }, { csv }, { sql }]) {
      const features = await ask(entityRows);
      expect(await features.toArray()).toEqual([
        { airport: 'LAX', event_timestamp: us(AT), y: 1.5, temperature: 22 },
      ]);
    }
    await expectError(ask({ parquet: `${parquet}.none` }), 'PARQUET_INVALID', 'none');
  });

  it('from files have their join keys cast where nothing is lost', async () => {
    const driver = featureView({
      name: 'driver',
      entities: [entity({ name: 'driver', joinKeys: { id: 'int64' } })],
      source: parquetSource({
        name: 'd',
        path: 'd',
        schema: { id: 'int64', ts: 'timestamp', x: 'int32' },
        timestampField: 'ts',
      }),
      schema: { x: 'int32' },
    });
    world.fixture.relations.set('driver', [
      batchRelation('id BIGINT, ts TIMESTAMP, x INTEGER', ["7, '2025-01-01 10:00:00', 70"]),
    ]);
    const get = (id: string) =>
      world.fixture.reader([driver]).getHistoricalFeatures({
        features: [driver],
        entityRows: { sql: `SELECT ${id} AS id, TIMESTAMP '2025-01-02' AS event_timestamp` },
      });
    for (const id of ['7::INTEGER', '7.0::DOUBLE', "'7'"]) {
      expect(await (await get(id)).toArray()).toMatchObject([{ id: 7n, x: 70 }]);
    }
    await expectError(get('7.5::DOUBLE'), 'VALUE_TYPE', 'not a whole number');
    await expectError(get("'seven'"), 'VALUE_TYPE', 'seven');
    await expectError(get('true'), 'VALUE_TYPE', 'BOOLEAN');
  });
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildCatalog, featureView, topicSource } from '../../src/definition/index.ts';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { createHistoricalReader, createRowsOf } from '../../src/join/index.ts';
import { localFiles } from '../../src/segment/index.ts';
import { batchRelation } from './fixture.ts';
import {
  AT,
  airport,
  COLUMNS,
  definitions,
  expectError,
  hidden,
  route,
  us,
  useWeather,
  weather,
} from './weather.ts';

const world = useWeather();

describe('the rows of the answer', () => {
  it('are the entity rows in their order, duplicates too, and the features behind their columns', async () => {
    const features = await world.reader().getHistoricalFeatures({
      features: [weather],
      entityRows: [
        { label: 1, airport: 'SFO', event_timestamp: AT, note: 'x' },
        { label: 0, airport: 'LAX', event_timestamp: new Date(AT), note: null },
        { label: 1, airport: 'SFO', event_timestamp: us(AT), note: 'x' },
      ],
    });
    const rows = await features.toArray();
    const sfo = {
      label: 1,
      airport: 'SFO',
      event_timestamp: us(AT),
      note: 'x',
      temperature: 12,
      wind: 3.5,
    };
    const lax = {
      label: 0,
      airport: 'LAX',
      event_timestamp: us(AT),
      note: null,
      temperature: 22,
      wind: null,
    };
    expect(rows).toEqual([sfo, lax, sfo]);
    expect(Object.keys(rows[0] as object)).toEqual(Object.keys(sfo));
    expect(features.metadata).toEqual({
      known: {},
      knownFiles: {},
      fingerprints: { weather: expect.stringMatching(/^[0-9a-f]{16}$/) },
      rowCount: 3,
      columns: [
        ...['label', 'airport', 'event_timestamp', 'note'].map((name) => ({
          name,
          from: 'entity',
        })),
        ...['temperature', 'wind'].map((name) => ({ name, from: 'feature' })),
      ],
      features: ['weather:temperature', 'weather:wind'],
      keys: ['label', 'airport', 'note'],
      minEventTimestampUs: us(AT),
      maxEventTimestampUs: us(AT),
    });
  });

  it('stay where no row counts: unknown keys, null keys, too early, too old', async () => {
    const features = await world.reader().getHistoricalFeatures({
      features: ['weather:temperature'],
      entityRows: [
        { airport: 'JFK', event_timestamp: AT },
        { airport: null, event_timestamp: AT },
        { airport: 'LAX', event_timestamp: '2025-01-01T09:59:59.999999Z' },
        { airport: 'LAX', event_timestamp: '2025-01-02T12:00:00Z' },
        { airport: 'LAX', event_timestamp: '2025-01-02T12:00:00.000001Z' },
      ],
    });
    expect((await features.toArray()).map((row) => row['temperature'])).toEqual([
      null,
      null,
      null,
      22,
      null,
    ]);
  });

  it('hold one view under two names, each with its own join key', async () => {
    const entityRows = [{ origin: 'LAX', destination: 'SFO', event_timestamp: AT }];
    const features = await world.reader().getHistoricalFeatures({
      service: route,
      entityRows,
      fullFeatureNames: true,
    });
    expect(await features.toArray()).toEqual([
      {
        origin: 'LAX',
        destination: 'SFO',
        event_timestamp: us(AT),
        from__temperature: 22,
        to__temperature: 12,
      },
    ]);
    await expectError(
      world.reader().getHistoricalFeatures({ service: route, entityRows }),
      'FEATURE_NAME_COLLISION',
      'temperature',
    );
  });

  it('leave out rows at the very time of the label when strictly before', async () => {
    const features = await world.reader().getHistoricalFeatures({
      features: ['weather:temperature'],
      entityRows: [{ airport: 'LAX', event_timestamp: AT }],
      strictlyBefore: true,
    });
    expect((await features.toArray())[0]).toMatchObject({ temperature: 20 });
  });

  it('have their columns without any entity row', async () => {
    const features = await world.reader().getHistoricalFeatures({
      features: ['feels:cold'],
      entityRows: [],
    });
    expect(await features.toArray()).toEqual([]);
    expect(features.metadata.columns.map(({ name }) => name)).toEqual([
      'airport',
      'sensitivity',
      'event_timestamp',
      'cold',
    ]);
    expect((await features.toArrow()).schema.names).toHaveLength(4);
  });

  it.each(['asof', 'range'] as const)(
    'keep their order over many chunks: %s',
    async (joinStrategy) => {
      const features = await world.reader().getHistoricalFeatures({
        features: ['weather:temperature'],
        joinStrategy,
        entityRows: {
          sql: `SELECT n, CASE WHEN n % 3 = 0 THEN 'LAX' ELSE 'SFO' END AS airport,
              TIMESTAMP '2025-01-01 12:00:00' + to_microseconds(hash(n)::UHUGEINT::HUGEINT::DOUBLE::BIGINT % 1000) AS event_timestamp
              FROM range(300_000) r(n)`.replace(
            'hash(n)::UHUGEINT::HUGEINT::DOUBLE::BIGINT',
            '(n * 7919)',
          ),
        },
      });
      let next = 0;
      let wrong = 0;
      for await (const chunk of features.chunks()) {
        const n = chunk.column(0).values as BigInt64Array;
        const temperature = chunk.column(3).values as Int32Array;
        for (let i = 0; i < chunk.rowCount; i++, next++) {
          if (Number(n[i]) !== next || temperature[i] !== (next % 3 === 0 ? 22 : 12)) wrong++;
        }
      }
      expect([next, wrong]).toEqual([300_000, 0]);
    },
  );
});

describe('views', () => {
  it('that are not offline are refused', () =>
    expectError(
      world.reader().getHistoricalFeatures({
        features: [hidden],
        entityRows: [{ airport: 'LAX', event_timestamp: AT }],
      }),
      'VIEW_NOT_OFFLINE',
      'hidden',
    ));

  it('are pruned to the entities of few labels without changing the answer', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => `'A${i}', '2025-01-01 10:00:00', ${i}, 0`);
    world.fixture.relations.set('weather', [batchRelation(COLUMNS, rows)]);
    for (const joinStrategy of ['asof', 'range'] as const) {
      const features = await world.reader().getHistoricalFeatures({
        features: ['weather:temperature'],
        entityRows: ['A5', 'A199', 'B'].map((name) => ({ airport: name, event_timestamp: AT })),
        joinStrategy,
      });
      expect(features.explain().reads[0]?.onlyLabelledEntities).toBe(true);
      expect((await features.toArray()).map((row) => row['temperature'])).toEqual([5, 199, null]);
    }
  });

  it('explain how they are joined, as text and as data', async () => {
    const features = await world.reader().getHistoricalFeatures({
      service: route,
      entityRows: [{ origin: 'LAX', destination: 'SFO', event_timestamp: AT }],
      fullFeatureNames: true,
    });
    const { text, reads } = features.explain();
    expect(reads.map(({ alias, strategy }) => [alias, strategy])).toEqual([
      ['from', 'range'],
      ['to', 'range'],
    ]);
    expect(text).toContain('weather as from: range join');
    expect(text).toContain('airport = origin');
    expect(text).toContain('TTL 1d');
  });

  it('read Parquet sources and name a column that is missing', async () => {
    const path = join(world.fixture.directory, 'weather.parquet');
    const write = (columns: string): Promise<void> =>
      world.fixture.duckdb.run(
        `COPY (SELECT ${columns}) TO ${quoteLiteral(path)} (FORMAT parquet)`,
      );
    const files = createHistoricalReader({
      duckdb: world.fixture.duckdb,
      catalog: buildCatalog(definitions),
      clock: world.fixture.clock,
      rowsOf: createRowsOf({
        duckdb: world.fixture.duckdb,
        baseDirectory: world.fixture.directory,
        segmentFiles: localFiles(world.fixture.directory),
        segmentsOf: async () => [],
      }),
    });
    const ask = () =>
      files.getHistoricalFeatures({
        features: [weather],
        entityRows: [{ airport: 'LAX', event_timestamp: AT }],
      });
    await write(
      "'LAX' AS airport, TIMESTAMP '2025-01-01 11:00:00' AS ts, 5 AS temperature, 2.5 AS wind",
    );
    expect(await (await ask()).toArray()).toMatchObject([{ temperature: 5, wind: 2.5 }]);
    await write(
      "'LAX' AS airport, TIMESTAMP '2025-01-01 11:00:00' AS ts, 5 AS temprature, 2.5 AS wind",
    );
    await expectError(ask(), 'COLUMN_MISSING', 'Did you mean "temprature"?');
  });

  it('of a stream that has no segments yet give nulls', async () => {
    const live = featureView({
      name: 'live',
      entities: [airport],
      source: topicSource({
        name: 'live',
        topic: 'live',
        schema: { airport: 'string', ts: 'timestamp', x: 'int32' },
        timestampField: 'ts',
      }),
      schema: { x: 'int32' },
    });
    const none = createHistoricalReader({
      duckdb: world.fixture.duckdb,
      catalog: buildCatalog([live]),
      clock: world.fixture.clock,
      rowsOf: createRowsOf({
        duckdb: world.fixture.duckdb,
        baseDirectory: '.',
        segmentFiles: localFiles('.'),
        segmentsOf: async () => [],
      }),
    });
    const features = await none.getHistoricalFeatures({
      features: [live],
      entityRows: [{ airport: 'LAX', event_timestamp: AT }],
    });
    expect(await features.toArray()).toMatchObject([{ x: null }]);
  });
});

describe('a small memory limit', () => {
  it('is kept by spilling', async () => {
    const duckdb = await openDuckdb({
      memoryLimitBytes: 48 * 1024 * 1024,
      threads: 2,
      tempDirectory: join(world.fixture.directory, 'small'),
    });
    try {
      const time = "TIMESTAMP '2025-01-01' + to_seconds((i * 7919) % 86400)";
      const rows = `SELECT 'A' || (i % 1000) AS airport, ${time} AS ts, i::INTEGER AS temperature,
        i::DOUBLE AS wind, 0 AS _partition, i AS _offset, 0::BIGINT AS _late FROM range(1_000_000) r(i)`;
      const small = createHistoricalReader({
        duckdb,
        catalog: buildCatalog(definitions),
        clock: world.fixture.clock,
        rowsOf: async () => [{ ...batchRelation(COLUMNS, []), sqlWithin: () => rows }],
      });
      await using features = await small.getHistoricalFeatures({
        features: [weather],
        joinStrategy: 'asof',
        entityRows: {
          sql: `SELECT 'A' || (i % 1000) AS airport, TIMESTAMP '2025-01-02' AS event_timestamp FROM range(300_000) r(i)`,
        },
      });
      let matched = 0;
      for await (const chunk of features.chunks()) {
        for (const valid of chunk.column(2).valid) matched += valid;
      }
      expect(matched).toBe(300_000);
    } finally {
      await duckdb.close();
    }
  }, 60_000);
});

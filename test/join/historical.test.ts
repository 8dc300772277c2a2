import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../src/core/fs.ts';
import { toTimestampUs } from '../../src/core/time.ts';
import {
  buildCatalog,
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
  topicSource,
} from '../../src/definition/index.ts';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { createHistoricalReader, createRowsOf } from '../../src/join/index.ts';
import { nodeFileSystem } from '../../src/segment/index.ts';
import { batchRelation, type JoinFixture, openJoinFixture } from './fixture.ts';

const airport = entity({ name: 'airport', joinKeys: { airport: 'string' } });
const source = parquetSource({
  name: 'weather',
  path: 'weather.parquet',
  schema: { airport: 'string', ts: 'timestamp', temperature: 'int32', wind: 'float64' },
  timestampField: 'ts',
});
const weather = featureView({
  name: 'weather',
  entities: [airport],
  source,
  schema: { temperature: 'int32', wind: 'float64' },
  ttl: '1d',
});
const hidden = featureView({
  name: 'hidden',
  entities: [airport],
  source,
  schema: { wind: 'float64' },
  offline: false,
});
const feels = onDemandFeatureView({
  name: 'feels',
  sources: [weather, requestSource({ name: 'person', schema: { sensitivity: 'float64' } })],
  schema: { cold: 'bool', score: 'float64', reasons: 'json' },
  transform: ({ temperature, sensitivity }) => ({
    cold: temperature === null ? null : temperature < sensitivity,
    score: (temperature ?? 0) * sensitivity,
    reasons: { sensitivity, known: temperature !== null },
  }),
});
const route = featureService({
  name: 'route',
  features: [
    weather.select('temperature').withName('from').withJoinKeyMap({ airport: 'origin' }),
    weather.select('temperature').withName('to').withJoinKeyMap({ airport: 'destination' }),
  ],
});
const definitions = [weather, hidden, feels, route];

const COLUMNS = 'airport VARCHAR, ts TIMESTAMP, temperature INTEGER, wind DOUBLE';
const ROWS = [
  "'LAX', '2025-01-01 10:00:00', 20, 1.5",
  "'LAX', '2025-01-01 12:00:00', 22, NULL",
  "'SFO', '2025-01-01 11:00:00', 12, 3.5",
];
const AT = '2025-01-01T12:00:00Z';

let fixture: JoinFixture;
beforeEach(async () => {
  fixture = await openJoinFixture();
  fixture.relations.set('weather', [batchRelation(COLUMNS, ROWS)]);
});
afterEach(() => fixture.close());

const reader = () => fixture.reader(definitions);
const us = toTimestampUs;

async function expectError(
  attempt: Promise<unknown>,
  code: ErrorCode,
  text: string,
): Promise<void> {
  const error = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toContain(text);
}

describe('the rows of the answer', () => {
  it('are the entity rows in their order, duplicates too, and the features behind their columns', async () => {
    const features = await reader().getHistoricalFeatures({
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
    const features = await reader().getHistoricalFeatures({
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
    const features = await reader().getHistoricalFeatures({
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
      reader().getHistoricalFeatures({ service: route, entityRows }),
      'FEATURE_NAME_COLLISION',
      'temperature',
    );
  });

  it('leave out rows at the very time of the label when strictly before', async () => {
    const features = await reader().getHistoricalFeatures({
      features: ['weather:temperature'],
      entityRows: [{ airport: 'LAX', event_timestamp: AT }],
      strictlyBefore: true,
    });
    expect((await features.toArray())[0]).toMatchObject({ temperature: 20 });
  });

  it('have their columns without any entity row', async () => {
    const features = await reader().getHistoricalFeatures({
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
      const features = await reader().getHistoricalFeatures({
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

describe('entity rows', () => {
  const ask = (entityRows: unknown, features = ['weather:temperature']) =>
    reader().getHistoricalFeatures({ features, entityRows } as never);

  it('without a join key are refused, naming the nearest column', () =>
    expectError(
      ask([{ airprt: 'LAX', event_timestamp: AT }]),
      'JOIN_KEY_MISSING',
      'Did you mean "airprt"?',
    ));

  it('without a time are refused', async () => {
    await expectError(
      ask([{ airport: 'LAX', x: 1 }]),
      'EVENT_TIMESTAMP_MISSING',
      'none of their columns',
    );
    await expectError(
      ask([{ airport: 'LAX', a: new Date(AT), b: new Date(AT) }]),
      'EVENT_TIMESTAMP_MISSING',
      'a, b',
    );
    await expectError(
      ask([
        { airport: 'LAX', event_timestamp: AT },
        { airport: 'LAX', event_timestamp: null },
      ]),
      'EVENT_TIMESTAMP_MISSING',
      'entity row 1',
    );
    await expectError(
      ask({ sql: "SELECT 'LAX' AS airport, NULL::TIMESTAMP AS event_timestamp" }),
      'EVENT_TIMESTAMP_MISSING',
      'entity row 0',
    );
  });

  it('take the only column of timestamps as their time', async () => {
    const features = await ask([{ airport: 'LAX', when: new Date(AT) }]);
    expect(await features.toArray()).toEqual([{ airport: 'LAX', when: us(AT), temperature: 22 }]);
    const queried = await ask({ sql: `SELECT 'LAX' AS airport, TIMESTAMPTZ '${AT}' AS seen` });
    expect(await queried.toArray()).toEqual([{ airport: 'LAX', seen: us(AT), temperature: 22 }]);
  });

  it('with different keys are refused', () =>
    expectError(
      ask([
        { airport: 'LAX', event_timestamp: AT },
        { airport: 'LAX', event_timestamp: AT, extra: 1 },
      ]),
      'ENTITY_ROWS_INVALID',
      'entity row 1 has "extra"',
    ));

  it('with a value of another type are refused, naming row and column', () =>
    expectError(
      ask([{ airport: true, event_timestamp: AT }]),
      'VALUE_TYPE',
      'entity row 0, column "airport"',
    ));

  it('with a column that has a feature’s name are refused', () =>
    expectError(
      ask([{ airport: 'LAX', event_timestamp: AT, temperature: 1 }]),
      'FEATURE_NAME_COLLISION',
      'column "temperature"',
    ));

  it('give other columns back unchanged', async () => {
    const extra = {
      text: 'a',
      small: -3,
      large: 2 ** 40,
      half: 0.5,
      zero: -0,
      big: 2n ** 60n,
      flag: false,
      bytes: new Uint8Array([0, 255]),
      list: [1, 2.5],
      mixed: [1, 'a', { b: null }],
      nothing: null,
    };
    const features = await ask([{ airport: 'LAX', event_timestamp: AT, ...extra }]);
    const [row] = await features.toArray();
    expect(row).toEqual({ airport: 'LAX', event_timestamp: us(AT), ...extra, temperature: 22 });
  });

  it('come from Parquet and CSV files and from queries alike', async () => {
    const parquet = join(fixture.directory, 'labels.parquet');
    await fixture.duckdb.run(
      `COPY (SELECT 'LAX' AS airport, TIMESTAMP '2025-01-01 12:00:00' AS event_timestamp, 1.5::DECIMAL(4,2) AS y) TO ${quoteLiteral(parquet)} (FORMAT parquet)`,
    );
    const csv = join(fixture.directory, 'labels.csv');
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
    fixture.relations.set('driver', [
      batchRelation('id BIGINT, ts TIMESTAMP, x INTEGER', ["7, '2025-01-01 10:00:00', 70"]),
    ]);
    const get = (id: string) =>
      fixture.reader([driver]).getHistoricalFeatures({
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

  it('beside a range of time are refused', () =>
    expectError(
      reader().getHistoricalFeatures({
        features: [weather],
        entityRows: [{ airport: 'LAX', event_timestamp: AT }],
        startTime: AT,
      }),
      'INVALID_ARGUMENT',
      'both given',
    ));
});

describe('views', () => {
  it('that are not offline are refused', () =>
    expectError(
      reader().getHistoricalFeatures({
        features: [hidden],
        entityRows: [{ airport: 'LAX', event_timestamp: AT }],
      }),
      'VIEW_NOT_OFFLINE',
      'hidden',
    ));

  it('are pruned to the entities of few labels without changing the answer', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => `'A${i}', '2025-01-01 10:00:00', ${i}, 0`);
    fixture.relations.set('weather', [batchRelation(COLUMNS, rows)]);
    for (const joinStrategy of ['asof', 'range'] as const) {
      const features = await reader().getHistoricalFeatures({
        features: ['weather:temperature'],
        entityRows: ['A5', 'A199', 'B'].map((name) => ({ airport: name, event_timestamp: AT })),
        joinStrategy,
      });
      expect(features.explain().reads[0]?.onlyLabelledEntities).toBe(true);
      expect((await features.toArray()).map((row) => row['temperature'])).toEqual([5, 199, null]);
    }
  });

  it('explain how they are joined, as text and as data', async () => {
    const features = await reader().getHistoricalFeatures({
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
    const path = join(fixture.directory, 'weather.parquet');
    const write = (columns: string): Promise<void> =>
      fixture.duckdb.run(`COPY (SELECT ${columns}) TO ${quoteLiteral(path)} (FORMAT parquet)`);
    const files = createHistoricalReader({
      duckdb: fixture.duckdb,
      catalog: buildCatalog(definitions),
      clock: fixture.clock,
      rowsOf: createRowsOf({
        duckdb: fixture.duckdb,
        baseDirectory: fixture.directory,
        segmentDirectory: fixture.directory,
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
      duckdb: fixture.duckdb,
      catalog: buildCatalog([live]),
      clock: fixture.clock,
      rowsOf: createRowsOf({
        duckdb: fixture.duckdb,
        baseDirectory: '.',
        segmentDirectory: '.',
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

describe('on-demand views', () => {
  const entityRows = [
    { airport: 'LAX', event_timestamp: AT, sensitivity: 30 },
    { airport: 'JFK', event_timestamp: AT, sensitivity: 0.5 },
  ];

  it('run over the joined rows, and only what was asked for is returned', async () => {
    const features = await reader().getHistoricalFeatures({
      features: ['feels:reasons', 'weather:wind', 'feels:cold'],
      entityRows,
    });
    expect(await features.toArray()).toEqual([
      {
        ...entityRows[0],
        event_timestamp: us(AT),
        reasons: { sensitivity: 30, known: true },
        wind: null,
        cold: true,
      },
      {
        ...entityRows[1],
        event_timestamp: us(AT),
        reasons: { sensitivity: 0.5, known: false },
        wind: null,
        cold: null,
      },
    ]);
  });

  it('need their request data in every entity row', async () => {
    await expectError(
      reader().getHistoricalFeatures({
        features: ['feels:cold'],
        entityRows: [{ airport: 'LAX', event_timestamp: AT, sensitvity: 1 }],
      }),
      'REQUEST_DATA_MISSING',
      'Did you mean "sensitvity"?',
    );
    const features = await reader().getHistoricalFeatures({
      features: ['feels:cold'],
      entityRows: [
        entityRows[0],
        { airport: 'LAX', event_timestamp: AT, sensitivity: null },
      ] as never,
    });
    await expectError(features.toArray(), 'REQUEST_DATA_MISSING', 'row 1');
  });

  it('take request data from files', async () => {
    const features = await reader().getHistoricalFeatures({
      features: ['feels:score'],
      entityRows: {
        sql: `SELECT 'LAX' AS airport, TIMESTAMP '2025-01-01 12:00:00' AS event_timestamp, 2::BIGINT AS sensitivity`,
      },
    });
    expect(await features.toArray()).toMatchObject([{ sensitivity: 2n, score: 44 }]);
  });
});

describe('without entity rows', () => {
  it('every distinct row of the range is a label', async () => {
    fixture.relations.set('weather', [batchRelation(COLUMNS, [...ROWS, ROWS[0] as string])]);
    const features = await reader().getHistoricalFeatures({
      features: ['weather:temperature'],
      startTime: '2025-01-01T10:00:00Z',
      endTime: '2025-01-01T11:00:00Z',
    });
    expect(await features.toArray()).toEqual([
      { airport: 'LAX', event_timestamp: us('2025-01-01T10:00:00Z'), temperature: 20 },
      { airport: 'SFO', event_timestamp: us('2025-01-01T11:00:00Z'), temperature: 12 },
    ]);
    expect(features.metadata.minEventTimestampUs).toBe(us('2025-01-01T10:00:00Z'));
    expect(features.metadata.maxEventTimestampUs).toBe(us('2025-01-01T11:00:00Z'));
  });

  it('the range is the longest TTL up to now', async () => {
    const features = await reader().getHistoricalFeatures({ features: [weather] });
    expect(features.metadata.minEventTimestampUs).toBe(us('2025-01-14T12:00:00Z'));
    expect(features.metadata.maxEventTimestampUs).toBe(us('2025-01-15T12:00:00Z'));
    expect(await features.toArray()).toEqual([]);
  });

  it('labels of views under two names match only their own', async () => {
    const features = await reader().getHistoricalFeatures({
      service: route,
      fullFeatureNames: true,
      startTime: '2025-01-01T11:00:00Z',
      endTime: '2025-01-01T11:00:00Z',
    });
    const event_timestamp = us('2025-01-01T11:00:00Z');
    expect(await features.toArray()).toEqual([
      {
        origin: 'SFO',
        destination: null,
        event_timestamp,
        from__temperature: 12,
        to__temperature: null,
      },
      {
        origin: null,
        destination: 'SFO',
        event_timestamp,
        from__temperature: null,
        to__temperature: 12,
      },
    ]);
  });

  it('a start after the end is refused', () =>
    expectError(
      reader().getHistoricalFeatures({ features: [weather], startTime: AT, endTime: '2025-01-01' }),
      'TIME_RANGE_INVALID',
      'after its end',
    ));
});

describe('reading the answer', () => {
  const ask = () =>
    reader().getHistoricalFeatures({
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
    const path = join(fixture.directory, 'out', 'features.arrow');
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
    const parquet = join(fixture.directory, 'out.parquet');
    const csv = join(fixture.directory, 'out.csv');
    await features.toParquet(parquet);
    await features.toCsv(csv);
    expect(await fixture.duckdb.query(`SELECT * FROM '${parquet}'`)).toEqual(
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
    const path = join(fixture.directory, 'out', 'features.parquet');
    const full: FileSystem = {
      ...nodeFileSystem,
      syncFile: async () => {
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      },
    };
    const failing = createHistoricalReader({
      duckdb: fixture.duckdb,
      catalog: buildCatalog(definitions),
      clock: fixture.clock,
      rowsOf: async (view) => fixture.relations.get(view.name) ?? [],
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
    expect(await readdir(join(fixture.directory, 'out'))).toEqual(['features.parquet']);
  });

  it('ends when it is closed, which leaves no table', async () => {
    const features = await ask();
    await features.toArray();
    await features.close();
    await features.close();
    await expectError(features.toArray(), 'STORE_CLOSED', 'closed');
    expect(await fixture.duckdb.query('SELECT table_name FROM duckdb_tables()')).toEqual([]);
  });

  it('leaves no table when the request fails', async () => {
    await expectError(
      reader().getHistoricalFeatures({
        features: ['weather:wind'],
        entityRows: [{ airport: 1.5, event_timestamp: AT }],
      }),
      'VALUE_TYPE',
      'airport',
    );
    expect(await fixture.duckdb.query('SELECT table_name FROM duckdb_tables()')).toEqual([]);
  });

  it('stays inside a small memory limit by spilling', async () => {
    const duckdb = await openDuckdb({
      memoryLimitBytes: 48 * 1024 * 1024,
      threads: 2,
      tempDirectory: join(fixture.directory, 'small'),
    });
    try {
      const time = "TIMESTAMP '2025-01-01' + to_seconds((i * 7919) % 86400)";
      const rows = `SELECT 'A' || (i % 1000) AS airport, ${time} AS ts, i::INTEGER AS temperature,
        i::DOUBLE AS wind, 0 AS _partition, i AS _offset, 0::BIGINT AS _late FROM range(1_000_000) r(i)`;
      const small = createHistoricalReader({
        duckdb,
        catalog: buildCatalog(definitions),
        clock: fixture.clock,
        rowsOf: async () => [{ ...batchRelation(COLUMNS, []), sql: rows }],
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

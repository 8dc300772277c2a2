import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  parquetSource,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/parquet/', import.meta.url));
const customer = entity({ name: 'customer', joinKeys: { id: 'int64' } });
const schema = {
  id: 'int64',
  at: 'timestamp',
  amount: 'float64',
  country: 'string',
  note: 'string',
  paid: 'bool',
  tags: 'string[]',
  address: 'json',
} as const;
const history = parquetSource({ name: 'history', path: 'history', schema, timestampField: 'at' });
const orders = topicSource({
  name: 'orders',
  topic: 'orders',
  format: 'json',
  schema,
  timestampField: 'at',
  keyFields: ['id'],
  partitions: 2,
});
const last = featureView({
  name: 'last_order',
  entities: [customer],
  source: orders,
  batchSource: history,
  schema: {
    amount: 'float64',
    country: 'string',
    note: 'string',
    paid: 'bool',
    tags: 'string[]',
    address: 'json',
  },
});
const spent = windowedFeatureView({
  name: 'spent',
  entities: [customer],
  source: history,
  aggregations: [
    { function: 'count', window: sliding('30d'), name: 'orders_30d' },
    { column: 'amount', function: 'sum', window: sliding('30d'), name: 'amount_30d' },
  ],
});
const NOW_MS = Date.parse('2026-02-01T00:00:00Z');

describe('a backfill', () => {
  let directory: string;
  let store: FeatureStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-backfill-'));
    store = await open();
    await store.apply();
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it.each([
    ['pandas: nanoseconds, a zone, a dictionary', 'pandas.parquet'],
    ['polars: another zone, unsigned numbers, row groups', 'polars.parquet'],
    ['DuckDB: microseconds with a zone, decimals', 'duckdb.parquet'],
    ['Spark: INT96, hive partitions', 'spark'],
  ])('reads what others write, online and for training: %s', async (_, file) => {
    const summary = await store.backfill({ source: 'last_order', files: [join(FIXTURES, file)] });
    expect(summary).toMatchObject({
      source: 'history',
      filesKnown: 0,
      rowsRead: 6,
      rowsLoaded: 6,
      rowsBad: 0,
      online: { last_order: 6, spent: 6 },
    });
    const rows = Array.from({ length: 6 }, (_, k) => order(k + 1));
    const online = await store.getOnlineFeatures({
      features: [
        'last_order:amount',
        'last_order:country',
        'last_order:note',
        'last_order:paid',
        'last_order:tags',
        'last_order:address',
      ],
      entityRows: rows.map(({ id }) => ({ id })),
    });
    expect(online.rows).toEqual(rows);
    expect(online.eventTimestamps[0]?.['amount']).toBe(
      Date.parse('2026-01-02T12:30:15.123Z') * 1_000 + 456,
    );
    await using joined = await store.getHistoricalFeatures({
      features: ['last_order:amount', 'spent:orders_30d'],
      entityRows: rows.map(({ id }) => ({ id, event_timestamp: new Date(NOW_MS) })),
    });
    expect((await joined.toArray()).map((row) => [row['amount'], row['orders_30d']])).toEqual(
      rows.map(({ amount }) => [amount, 1n]),
    );
    expect((await store.verify()).same).toBe(true);
  });

  it('loads nothing twice: not again, not from elsewhere, not beside other files', async () => {
    const files = [join(FIXTURES, 'pandas.parquet')];
    await store.backfill({ source: 'history', files });
    const checksum = await store.checksum();
    await copyFile(files[0] as string, join(directory, 'a-copy.parquet'));
    for (const again of [files, ['a-copy.parquet']]) {
      expect(await store.backfill({ source: 'history', files: again })).toMatchObject({
        filesKnown: 1,
        rowsLoaded: 0,
        online: { last_order: 0 },
      });
    }
    expect(await store.checksum()).toEqual(checksum);
    expect(await readdir(join(directory, 'history'))).toHaveLength(1);
  });

  it.each(['both', 'history', 'online'] as const)(
    'into %s gives these their rows, and the second time nothing',
    async (into) => {
      const files = [join(FIXTURES, 'pandas.parquet')];
      const options = { source: 'history', files, into };
      expect(await store.backfill(options)).toMatchObject({ rowsLoaded: 6, rowsRead: 6 });
      const loaded = {
        online: into === 'history' ? null : 1n,
        joined: into === 'online' ? null : 1n,
      };
      expect(await orderCounts()).toEqual(loaded);
      const checksum = await store.checksum();
      expect(await store.backfill(options)).toMatchObject({ filesKnown: 1, rowsLoaded: 0 });
      expect(await orderCounts()).toEqual(loaded);
      expect(await store.checksum()).toEqual(checksum);
    },
  );

  it('counts a row once whose file was loaded online alone and is made history then, or the other way', async () => {
    const files = [join(FIXTURES, 'pandas.parquet')];
    const onlineFolder = join(directory, 'data', 'backfill', 'history', 'online');
    await store.backfill({ source: 'history', files, into: 'online' });
    expect(await readdir(onlineFolder)).toHaveLength(1);
    for (const into of ['both', 'online', 'history'] as const) {
      const rowsLoaded = into === 'both' ? 6 : 0;
      expect(await store.backfill({ source: 'history', files, into })).toMatchObject({
        rowsLoaded,
      });
      expect(await orderCounts()).toEqual({ online: 1n, joined: 1n });
      expect(await readdir(onlineFolder)).toEqual([]);
    }
  });

  it('counts rows of files that are online alone beside those of history, whichever come last', async () => {
    const load = (file: string, into: 'both' | 'online') =>
      store.backfill({ source: 'history', files: [join(FIXTURES, file)], into });
    await load('pandas.parquet', 'both');
    await load('polars.parquet', 'online');
    expect(await orderCounts()).toEqual({ online: 2n, joined: 1n });
    await load('duckdb.parquet', 'both');
    expect(await orderCounts()).toEqual({ online: 3n, joined: 2n });
    await store.erase('customer', { keyValues: { id: 1 } });
    expect(await orderCounts()).toEqual({ online: null, joined: null });
    expect(await orderCounts(2)).toEqual({ online: 3n, joined: 2n });
  });

  it('takes columns of other names and types, and sets aside what a field cannot hold, with its place', async () => {
    const duckdb = await store.resources.duckdb();
    const file = join(directory, 'export.parquet');
    await duckdb.run(
      `COPY (SELECT * FROM (VALUES
        ('1', '2026-01-05T10:00:00+02:00', '12.5', 'DE'),
        ('2', 'yesterday', '1', 'DE'),
        ('3', '2026-01-06 10:00:00', 'much', 'DE'),
        (NULL, '2026-01-06 10:00:00', '2', 'DE'),
        ('5', '2026-01-07', NULL, NULL)
      ) t(customer, ts, euros, country)) TO '${file}' (FORMAT parquet)`,
    );
    const columns = { id: 'customer', at: 'ts', amount: 'euros' };
    await expect(
      store.backfill({ source: 'history', files: [file], columns }),
    ).rejects.toMatchObject({
      code: 'COLUMN_MISSING',
      message: expect.stringContaining('"note"'),
    });
    await store.close();
    const small = parquetSource({
      name: 'small',
      path: 'small',
      schema: { id: 'int64', at: 'timestamp', amount: 'float64', country: 'string' },
      timestampField: 'at',
    });
    const view = featureView({
      name: 'small_view',
      entities: [customer],
      source: small,
      schema: { amount: 'float64' },
    });
    store = await open([customer, small, view]);
    const summary = await store.backfill({
      source: 'small_view',
      files: ['export.parquet'],
      columns,
    });
    expect(summary).toMatchObject({
      rowsRead: 5,
      rowsLoaded: 2,
      rowsBad: 3,
      online: { small_view: 2 },
    });
    const bad = (await readFile(summary.badFiles[0] as string, 'utf8')).trim().split('\n');
    expect(bad.map((line) => JSON.parse(line))).toMatchObject([
      {
        file,
        row_group: 0,
        row: 1,
        field: 'at',
        column: 'ts',
        reason: 'no value of type timestamp',
        value: 'yesterday',
        original: { ts: 'yesterday' },
      },
      { row: 2, column: 'euros', reason: 'no value of type float64', value: 'much' },
      { row: 3, field: 'id', value: null },
    ]);
    const { rows, eventTimestamps } = await store.getOnlineFeatures({
      features: ['small_view:amount'],
      entityRows: [{ id: 1 }, { id: 5 }],
    });
    expect(rows).toEqual([
      { id: 1n, amount: 12.5 },
      { id: 5n, amount: null },
    ]);
    expect(eventTimestamps[0]?.['amount']).toBe(Date.parse('2026-01-05T08:00:00Z') * 1_000);
    await expect(
      store.backfill({
        source: 'small',
        files: [file],
        columns: { ...columns, country: 'ts' },
        badRowsMax: 2,
      }),
    ).rejects.toMatchObject({ code: 'BACKFILL_REJECTED', where: { file, row: 1, column: 'ts' } });
  });

  /** Orders of a customer, as they are served and as they are joined. */
  async function orderCounts(id = 1): Promise<{ online: unknown; joined: unknown }> {
    const features = ['spent:orders_30d'];
    const { rows } = await store.getOnlineFeatures({ features, entityRows: [{ id }] });
    await using joined = await store.getHistoricalFeatures({
      features,
      entityRows: [{ id, event_timestamp: new Date(NOW_MS) }],
    });
    const [row] = await joined.toArray();
    return { online: rows[0]?.['orders_30d'], joined: row?.['orders_30d'] };
  }

  it('needs a source that is a folder', async () => {
    const refuse = (source: string) =>
      expect(store.backfill({ source, files: ['x.parquet'] })).rejects;
    await refuse('nothing').toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    await refuse('history').toMatchObject({ code: 'PARQUET_INVALID' });
    await store.close();
    const file = parquetSource({ ...sourceSpec, name: 'file', path: 'one.parquet' });
    const view = featureView({
      name: 'of_file',
      entities: [customer],
      source: file,
      schema: { amount: 'float64' },
    });
    const live = featureView({
      name: 'of_topic',
      entities: [customer],
      source: orders,
      schema: { amount: 'float64' },
    });
    store = await open([customer, file, view, orders, live]);
    await refuse('file').toMatchObject({ code: 'INVALID_ARGUMENT' });
    await refuse('of_topic').toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  const sourceSpec = { schema, timestampField: 'at' } as const;

  function open(
    definitions: Parameters<typeof openFeatureStore>[0]['definitions'] = [
      customer,
      history,
      orders,
      last,
      spent,
    ],
  ): Promise<FeatureStore> {
    const clock = new ManualClock(NOW_MS);
    return mkdir(directory, { recursive: true }).then(() =>
      openFeatureStore({ directory, definitions, config: { project: 'backfill' }, clock }),
    );
  }

  function order(i: number) {
    return {
      id: BigInt(i),
      amount: i * 10 + 0.25,
      country: i % 2 ? 'DE' : 'FR',
      note: i === 3 ? null : `order ${i}`,
      paid: i % 3 === 0,
      tags: i % 2 ? ['new', 'big'] : [],
      address: { city: `city ${i}`, zip: 10_000 + i },
    };
  }
});

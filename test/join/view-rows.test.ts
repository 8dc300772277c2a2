import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  parquetSource,
  sliding,
  windowedFeatureView,
} from '../../src/index.ts';

const DAYS = 30;
const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const schema = { id: 'int64', at: 'timestamp', amount: 'int64' } as const;
const shop = entity({ name: 'shop', joinKeys: { id: 'int64' } });

/** The same rows in a file a day and in one file. */
describe('batch history in many files', () => {
  let directory: string;
  let store: FeatureStore;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-view-rows-'));
    store = await openFeatureStore({
      directory,
      definitions: [shop, ...viewsOf('daily'), ...viewsOf('single')],
      config: { project: 'rows' },
    });
    const duckdb = await store.resources.duckdb();
    await mkdir(join(directory, 'daily'));
    await mkdir(join(directory, 'single'));
    const rows = (where: string): string =>
      `SELECT (i % 5)::BIGINT AS id, make_timestamp((${START_MS} + (i // 40) * ${DAY_MS} + (i % 40) // 2 * 60000) * 1000) AS at,
        i::BIGINT AS amount FROM range(${DAYS * 40}) t(i) ${where} ORDER BY i`;
    for (let day = 0; day < DAYS; day++) {
      const name = `${String(day).padStart(2, '0')}.parquet`;
      await duckdb.run(
        `COPY (${rows(`WHERE i // 40 = ${day}`)}) TO '${join(directory, 'daily', name)}' (FORMAT parquet)`,
      );
    }
    await duckdb.run(
      `COPY (${rows('')}) TO '${join(directory, 'single', 'all.parquet')}' (FORMAT parquet)`,
    );
    await store.apply();
  });
  afterAll(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  function viewsOf(name: string) {
    const source = parquetSource({ name, path: name, schema, timestampField: 'at' });
    return [
      featureView({
        name: `${name}_newest`,
        entities: [shop],
        source,
        schema: { amount: 'int64' },
        ttl: '3d',
      }),
      windowedFeatureView({
        name: `${name}_sums`,
        entities: [shop],
        source,
        aggregations: [
          { column: 'amount', function: 'sum', window: sliding('7d'), name: 'sum_7d' },
        ],
      }),
    ];
  }

  function joinOf(name: string, fromDay: number, toDay: number) {
    return store.getHistoricalFeatures({
      features: [`${name}_newest:amount`, `${name}_sums:sum_7d`],
      entityRows: Array.from({ length: 100 }, (_, i) => ({
        id: BigInt(i % 6),
        event_timestamp: new Date(START_MS + (fromDay + ((toDay - fromDay) * i) / 100) * DAY_MS),
      })),
    });
  }

  it.each([
    ['of one day', 10, 11],
    ['behind the last row', 31, 60],
    ['before the first', -5, 0],
    ['of all days', 0, 31],
  ])('gives labels %s what one file gives them', async (_, fromDay, toDay) => {
    await using daily = await joinOf('daily', fromDay, toDay);
    await using single = await joinOf('single', fromDay, toDay);
    expect(await daily.toArray()).toEqual(await single.toArray());
  });

  it('is read as far as the times in its footers meet those of the labels, and that is told', async () => {
    await using daily = await joinOf('daily', 10, 11);
    const [newest] = daily.explain().reads;
    // Three days of TTL, and the day itself.
    expect(newest?.facts.files).toEqual({ read: 4, of: DAYS });
    expect(daily.explain().text).toContain('files     4 of 30, by event time');
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { US_PER_MS } from '../../src/core/time.ts';
import { featureView, parquetSource } from '../../src/definition/index.ts';
import {
  amounts,
  doubled,
  failure,
  history,
  live,
  NOW,
  past,
  SCHEMA,
  type ShopRow,
  user,
  useShop,
  writeHistory,
} from './support.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_251_125);
const DAY_MS = 86_400_000;
const NOW_MS = Date.parse(NOW);
const newShop = useShop();
const YEAR = { startTime: '2025-01-01T00:00:00Z', endTime: '2025-12-31T00:00:00Z' };
const ROW: ShopRow = ['a', '2025-01-02T00:00:00Z', 1];

const viewOf = (name: string, spec: object = {}) =>
  featureView({ name, entities: [user], source: history, schema: { amount: 'int64' }, ...spec });

function daysAgo(days: number): string {
  return new Date(NOW_MS - days * DAY_MS).toISOString();
}

describe('what can be materialized', () => {
  it.each([
    ['is disabled', { enabled: false }, 'FEATURE_VIEW_DISABLED'],
    ['is offline only', { online: false }, 'NOT_MATERIALIZABLE'],
  ])('is no view that %s, unless it is not asked for by name', async (_, spec, code) => {
    const shop = newShop();
    await writeHistory(shop, [ROW]);
    const store = await shop.open({ definitions: [viewOf('closed', spec), past] });
    await store.apply();
    const asked = await failure(() => store.materialize({ ...YEAR, views: ['past', 'closed'] }));
    expect(asked).toMatchObject({ code, where: { view: 'closed' } });
    expect(await store.materializationIntervals('past')).toEqual([]);
    expect((await store.materialize(YEAR)).map(({ view }) => view)).toEqual(['past']);
  });

  it('is no view without batch history', async () => {
    const store = await newShop().open();
    expect(await failure(() => store.materialize({ ...YEAR, views: ['live'] }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      next: expect.stringContaining('freshet run'),
    });
  });

  it('is no view that is not there', async () => {
    const store = await newShop().open();
    const error = await failure(() => store.materializeIncremental({ views: ['pasta'] }));
    expect(error.code).toBe('FEATURE_VIEW_NOT_FOUND');
  });

  it('is an on-demand view by the views that it computes from', async () => {
    const shop = newShop();
    await writeHistory(shop, [ROW]);
    const store = await shop.open();
    await store.apply();
    const results = await store.materialize({ ...YEAR, views: [doubled.name] });
    expect(results.map(({ view }) => view)).toEqual(['past']);
    const answer = await store.getOnlineFeatures({
      features: ['doubled:double'],
      entityRows: [{ user: 'a' }],
    });
    expect(answer.toColumns().values['double']).toEqual([2n]);
  });

  it('is no range that ends before it starts', async () => {
    const store = await newShop().open();
    const backwards = { startTime: YEAR.endTime, endTime: YEAR.startTime };
    expect(await failure(() => store.materialize(backwards))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('is greater than'),
    });
  });
});

describe('a range', () => {
  it('has both ends, to the microsecond', async () => {
    const shop = newShop();
    await writeHistory(shop, [
      ['before', '2025-01-01T23:59:59.999999Z', 1],
      ['first', '2025-01-02T00:00:00Z', 1],
      ['last', '2025-01-03T00:00:00Z', 1],
      ['after', '2025-01-03T00:00:00.000001Z', 1],
    ]);
    const store = await shop.open();
    await store.apply();
    await store.materialize({ startTime: '2025-01-02', endTime: '2025-01-03' });
    const users = ['before', 'first', 'last', 'after'];
    expect(await amounts(store, users)).toEqual([undefined, 1, 1, undefined]);
  });

  it('is loaded into all views of several histories, with progress by view', async () => {
    const shop = newShop();
    await writeHistory(shop, [ROW]);
    await writeHistory(shop, [ROW, ['b', '2025-01-02T00:00:00Z', 2]], 'z');
    const other = parquetSource({
      name: 'other',
      path: 'history/z.parquet',
      schema: SCHEMA,
      timestampField: 'at',
    });
    const definitions = [past, viewOf('others', { source: other }), live];
    const store = await shop.open({ definitions });
    await store.apply();
    const progress: string[] = [];
    const results = await store.materialize({
      ...YEAR,
      onProgress: ({ view, rowsDone, rowsTotal }) => {
        progress.push(`${view} ${rowsDone}/${rowsTotal}`);
      },
    });
    expect(results).toMatchObject([
      { view: 'past', rowsRead: 3 },
      { view: 'others', rowsRead: 2, rowsWritten: 2 },
    ]);
    expect([...new Set(progress)]).toEqual(['past 2/3', 'past 3/3', 'others 2/2']);
  });
});

describe('an incremental run', () => {
  it('begins a TTL before now the first time, or a year where there is none', async () => {
    const shop = newShop();
    await writeHistory(shop, [ROW]);
    const store = await shop.open({ definitions: [past, viewOf('brief', { ttl: '2d' })] });
    await store.apply();
    await store.materializeIncremental();
    const nowUs = NOW_MS * US_PER_MS;
    const starts = { past: 364, brief: 2 };
    for (const [view, days] of Object.entries(starts)) {
      expect(await store.materializationIntervals(view)).toEqual([
        { startUs: nowUs - days * DAY_MS * US_PER_MS, endUs: nowUs },
      ]);
    }
  });

  it('that ends before that begins where it ends', async () => {
    const shop = newShop();
    await writeHistory(shop, [ROW]);
    const store = await shop.open({ definitions: [viewOf('brief', { ttl: '2d' })] });
    await store.apply();
    await store.materializeIncremental({ endTime: daysAgo(5) });
    const us = Date.parse(daysAgo(5)) * US_PER_MS;
    expect(await store.materializationIntervals('brief')).toEqual([{ startUs: us, endUs: us }]);
  });

  it('goes on where the last run ended, by the clock', async () => {
    const shop = newShop();
    await writeHistory(shop, [
      ['a', daysAgo(1), 1],
      ['b', daysAgo(-1), 2],
    ]);
    const store = await shop.open();
    await store.apply();
    await store.materializeIncremental();
    expect(await amounts(store, ['a', 'b'])).toEqual([1, undefined]);
    expect(await store.materializeIncremental()).toMatchObject([{ rowsRead: 0 }]);
    shop.clock.advance(2 * DAY_MS);
    expect(await store.materializeIncremental()).toMatchObject([{ rowsRead: 1, rowsWritten: 1 }]);
    expect(await amounts(store, ['a', 'b'])).toEqual([1, 2]);
    expect(await store.materializationIntervals('past')).toHaveLength(1);
  });

  it('sees a late row in a new file', async () => {
    const shop = newShop();
    await writeHistory(shop, [['a', daysAgo(1), 1]]);
    const store = await shop.open();
    await store.apply();
    await store.materializeIncremental();
    await writeHistory(shop, [['late', daysAgo(3), 3]], 'b');
    shop.clock.advance(1_000);
    await store.materializeIncremental();
    expect(await amounts(store, ['late'])).toEqual([3]);
  });
});

describe(`what is materialized (seed ${SEED})`, () => {
  const USERS = ['a', 'b', 'c', 'd'];
  // Minutes before now, few enough for ties; some are in the future.
  const row = fc.tuple(
    fc.constantFrom(...USERS),
    fc.integer({ min: -3, max: 40 }),
    fc.option(fc.nat(99)),
  );
  const timeOf = (minutes: number): string => new Date(NOW_MS - minutes * 60_000).toISOString();

  it('is what the historical join gives now, for every entity, with and without a TTL', async () => {
    const files = fc.array(fc.array(row, { minLength: 1, maxLength: 12 }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(files, fc.array(fc.nat(40), { maxLength: 2 }), async (given, ends) => {
        const shop = newShop();
        for (const [i, rows] of given.entries()) {
          const named = rows.map(([key, ago, amount]): ShopRow => [key, timeOf(ago), amount]);
          await writeHistory(shop, named, `f${i}`);
        }
        const config = { onlineStore: { binding: 'memory' } } as const;
        const definitions = [past, viewOf('brief', { ttl: '20m' })];
        const store = await shop.open({ definitions, config });
        await store.apply();
        for (const ago of ends) await store.materialize({ ...YEAR, endTime: timeOf(ago) });
        await store.materialize({ ...YEAR, endTime: NOW });
        for (const view of ['past', 'brief']) {
          const features = [`${view}:amount`];
          const online = await store.getOnlineFeatures({
            features,
            entityRows: USERS.map((each) => ({ user: each })),
          });
          const joined = await store.getHistoricalFeatures({
            features,
            entityRows: USERS.map((each) => ({ user: each, event_timestamp: NOW })),
          });
          const rows = (await joined.toArray()) as Record<string, unknown>[];
          const { values, statuses } = online.toColumns();
          // Past its TTL a value is told with that status; a join has null.
          const inTime = values['amount']?.map((amount, i) =>
            statuses['amount']?.[i] === 'OUTSIDE_MAX_AGE' ? null : amount,
          );
          expect(inTime, view).toEqual(rows.map(({ amount }) => amount));
        }
        await store.close();
      }),
      { seed: SEED, numRuns: 30 },
    );
  }, 120_000);
});

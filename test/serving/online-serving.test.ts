import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_BATCH } from '../../src/core/row-order.ts';
import { toTimestampUs } from '../../src/core/time.ts';
import {
  buildCatalog,
  entity,
  type FeatureView,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
} from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { createRowUpserter } from '../../src/online/index.ts';
import {
  createOnlineServing,
  type OnlineServing,
  type UntypedOnlineRequest,
} from '../../src/serving/index.ts';
import type { StateStore } from '../../src/state/index.ts';
import { makeRows, type TestRow } from '../online/make-rows.ts';
import { openTestStore } from '../state/test-store.ts';

const SCHEMA = {
  at: 'timestamp',
  driver_id: 'int64',
  customer_id: 'string',
  rides: 'int32',
  rating: 'float32',
} as const;

function source(name: string) {
  return parquetSource({ name, path: `${name}.parquet`, schema: SCHEMA, timestampField: 'at' });
}

const driver = entity({ name: 'driver', joinKeys: { driver_id: 'int64' } });
const customer = entity({ name: 'customer', joinKeys: { customer_id: 'string' } });
const driverStats = featureView({
  name: 'driver_stats',
  entities: [driver],
  source: source('driver_history'),
  schema: { rides: 'int32', rating: 'float32' },
  ttl: '1h',
});
const pairStats = featureView({
  name: 'pair_stats',
  entities: [driver, customer],
  source: source('pair_history'),
  schema: { rides: 'int32' },
});
const globalStats = featureView({
  name: 'global_stats',
  source: source('global_history'),
  schema: { rides: 'int32' },
});
const disabled = featureView({
  name: 'disabled',
  entities: [driver],
  source: source('disabled_history'),
  schema: { rides: 'int32' },
  enabled: false,
});
const offlineOnly = featureView({
  name: 'offline_only',
  entities: [driver],
  source: source('offline_history'),
  schema: { rides: 'int32' },
  online: false,
});
const bonus = onDemandFeatureView({
  name: 'bonus',
  sources: [driverStats, requestSource({ name: 'trip', schema: { hours: 'int32' } })],
  schema: { pay: 'int64' },
  transform: (row) => ({ pay: row.rides === null ? null : row.rides * row.hours }),
});
const route = featureService({
  name: 'route',
  features: [
    driverStats.select('rides').withName('first').withJoinKeyMap({ driver_id: 'first_id' }),
    driverStats.select('rides').withName('second').withJoinKeyMap({ driver_id: 'second_id' }),
  ],
});
const catalog = buildCatalog([
  driverStats,
  pairStats,
  globalStats,
  disabled,
  offlineOnly,
  bonus,
  route,
]);

const NOON = toTimestampUs('2025-01-15T12:00:00Z');
const MINUTE = 60_000_000;

describe('getOnlineFeatures', () => {
  const clock = new ManualClock(NOON / 1_000);
  let state: StateStore;
  let serving: OnlineServing;

  beforeEach(async () => {
    state = await openTestStore();
    serving = createOnlineServing({
      state,
      catalog,
      clock,
      partitionsOf: () => 1,
      positionsOf: () => [],
      fingerprintOf: (view) => `fingerprint of ${view.name}`,
      degradedOf: () => [],
    });
  });

  async function write(
    view: unknown,
    rows: readonly Omit<TestRow, 'at'>[],
    at = NOON,
  ): Promise<void> {
    const written = view as FeatureView;
    const sourceId = await state.dictionary.ensureSource(written.batchSource!.name);
    const names = Object.keys(SCHEMA).filter((name) => name in (rows[0] ?? {}));
    const layout = rowLayout(
      Object.fromEntries(names.map((name) => [name, SCHEMA[name as keyof typeof SCHEMA]])),
    );
    const options = { state, view: written, sourceId, layout, partitions: 1 };
    const upserter = await createRowUpserter(options);
    const into = new KvBatch();
    const batch = makeRows(layout, rows.map((row) => ({ at, ...row })) as TestRow[]);
    await upserter.upsert(batch, { partition: 0, rank: RANK_BATCH }, into);
    await state.kv.write(into);
  }

  async function codeOf(request: UntypedOnlineRequest): Promise<[string, string]> {
    const error = await serving.getOnlineFeatures(request).then(
      () => ({ code: 'none', message: '' }),
      (thrown: { code: string; message: string }) => thrown,
    );
    return [error.code, error.message];
  }

  it('answers join keys and features in the order of the rows and the request', async () => {
    await write(driverStats, [
      { driver_id: 1, rides: 4, rating: 0.5 },
      { driver_id: 2, rides: 5, rating: null },
    ]);
    const answer = await serving.getOnlineFeatures({
      features: ['driver_stats:rating', 'driver_stats:rides'],
      entityRows: [{ driver_id: 2 }, { driver_id: '1' }, { driver_id: 9n }, { driver_id: 2 }],
    });
    expect(answer.rows).toEqual([
      { driver_id: 2n, rating: null, rides: 5 },
      { driver_id: 1n, rating: 0.5, rides: 4 },
      { driver_id: 9n, rating: null, rides: null },
      { driver_id: 2n, rating: null, rides: 5 },
    ]);
    expect(answer.statuses.slice(0, 3)).toEqual([
      { rating: 'NULL_VALUE', rides: 'PRESENT' },
      { rating: 'PRESENT', rides: 'PRESENT' },
      { rating: 'NOT_FOUND', rides: 'NOT_FOUND' },
    ]);
    expect(answer.eventTimestamps[1]).toEqual({ rating: NOON, rides: NOON });
    expect(answer.eventTimestamps[2]).toEqual({ rating: null, rides: null });
  });

  it('gives the same as columns and as JSON', async () => {
    await write(driverStats, [{ driver_id: 1, rides: 4, rating: Number.NaN }]);
    const answer = await serving.getOnlineFeatures({
      features: [driverStats],
      entityRows: [{ driver_id: 1 }],
      fullFeatureNames: true,
    });
    expect(answer.toColumns()).toEqual({
      values: { driver_id: [1n], driver_stats__rides: [4], driver_stats__rating: [Number.NaN] },
      statuses: { driver_stats__rides: ['PRESENT'], driver_stats__rating: ['PRESENT'] },
      eventTimestamps: { driver_stats__rides: [NOON], driver_stats__rating: [NOON] },
    });
    expect(JSON.parse(JSON.stringify(answer))).toMatchObject({
      rows: [{ driver_id: 1, driver_stats__rides: 4, driver_stats__rating: 'NaN' }],
      eventTimestamps: [{ driver_stats__rides: '2025-01-15T12:00:00.000Z' }],
    });
  });

  it('types answers by their definitions', async () => {
    const answer = await serving.getOnlineFeatures({
      features: [driverStats, bonus],
      entityRows: [{ driver_id: 1, hours: 2 }],
    });
    expectTypeOf(answer.rows[0]!).toEqualTypeOf<
      { readonly driver_id: bigint } & {
        readonly rides: number | null;
        readonly rating: number | null;
        readonly pay: bigint | null;
      }
    >();
    expectTypeOf(answer.statuses[0]!.pay).toEqualTypeOf<
      'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE'
    >();
    // @ts-expect-error there is no such feature
    answer.rows[0]?.ridez;
    expect(answer.rows).toHaveLength(1);
  });

  it.each([
    ['inside the TTL, to the microsecond', NOON - 60 * MINUTE, 'PRESENT', 'PRESENT'],
    ['outside the TTL', NOON - 60 * MINUTE - 1, 'OUTSIDE_MAX_AGE', 'OUTSIDE_MAX_AGE'],
    ['ahead of the clock', NOON + MINUTE, 'PRESENT', 'PRESENT'],
  ])('serves a row %s with its value', async (_, at, rides) => {
    await write(driverStats, [{ driver_id: 1, rides: 4 }], at);
    const answer = await serving.getOnlineFeatures({
      features: [driverStats],
      entityRows: [{ driver_id: 1 }],
    });
    expect(answer.statuses).toEqual([{ rides, rating: 'NOT_FOUND' }]);
    expect(answer.rows).toEqual([{ driver_id: 1n, rides: 4, rating: null }]);
  });

  it('never outdates a view without a TTL', async () => {
    await write(globalStats, [{ rides: 2 }], 0);
    const answer = await serving.getOnlineFeatures({
      features: [globalStats],
      entityRows: [{}, {}],
    });
    expect(answer.rows).toEqual([{ rides: 2 }, { rides: 2 }]);
    expect(answer.statuses).toEqual([{ rides: 'PRESENT' }, { rides: 'PRESENT' }]);
  });

  it('lets rows of any shape ask for a view without entities', async () => {
    await write(globalStats, [{ rides: 2 }]);
    const answer = await serving.getOnlineFeatures({
      features: ['global_stats:rides'],
      entityRows: [{ driver_id: 1 }, { driver_id: 2 }],
    });
    expect(answer.rows).toEqual([{ rides: 2 }, { rides: 2 }]);
  });

  it('reads one view under two aliases and join key maps', async () => {
    await write(driverStats, [
      { driver_id: 1, rides: 25 },
      { driver_id: 4, rides: 8 },
    ]);
    const answer = await serving.getOnlineFeatures({
      service: route,
      entityRows: [
        { first_id: 1, second_id: 4 },
        { first_id: 4, second_id: 99 },
      ],
      fullFeatureNames: true,
    });
    expect(answer.toColumns().values).toEqual({
      first_id: [1n, 4n],
      second_id: [4n, 99n],
      first__rides: [25, 8],
      second__rides: [8, null],
    });
  });

  it('finds rows of composite keys, and text keys sent as numbers', async () => {
    await write(pairStats, [{ driver_id: 0, customer_id: '0', rides: 7 }]);
    const answer = await serving.getOnlineFeatures({
      features: ['pair_stats:rides'],
      entityRows: [
        { customer_id: 0, driver_id: 0 },
        { customer_id: null, driver_id: 0 },
      ],
    });
    expect(answer.toColumns()).toMatchObject({
      values: { rides: [7, null], customer_id: ['0', null] },
      statuses: { rides: ['PRESENT', 'NOT_FOUND'] },
    });
  });

  it('computes on-demand features, with null for what is outside its max age', async () => {
    await write(driverStats, [{ driver_id: 1, rides: 4 }]);
    await write(driverStats, [{ driver_id: 2, rides: 5 }], NOON - 61 * MINUTE);
    const answer = await serving.getOnlineFeatures({
      features: ['bonus:pay'],
      entityRows: [
        { driver_id: 1, hours: 3 },
        { driver_id: 2, hours: 3 },
      ],
    });
    expect(answer.rows).toEqual([
      { driver_id: 1n, pay: 12n },
      { driver_id: 2n, pay: null },
    ]);
    expect(answer.statuses).toEqual([{ pay: 'PRESENT' }, { pay: 'NULL_VALUE' }]);
    expect(answer.eventTimestamps).toEqual([{ pay: NOON }, { pay: null }]);
  });

  it('answers no rows for no rows', async () => {
    const answer = await serving.getOnlineFeatures({ features: [driverStats], entityRows: [] });
    expect(answer.rows).toEqual([]);
    expect(answer.toColumns().values).toEqual({ driver_id: [], rides: [], rating: [] });
  });

  it('gives a receipt for each view and row when asked', async () => {
    await write(driverStats, [{ driver_id: 1, rides: 4 }]);
    const request = { features: [driverStats], entityRows: [{ driver_id: 1 }] } as const;
    expect((await serving.getOnlineFeatures(request)).receipts).toBeNull();
    const { receipts } = await serving.getOnlineFeatures({ ...request, includeReceipt: true });
    expect(receipts).toEqual({
      driver_stats: [
        {
          view: 'driver_stats',
          fingerprint: 'fingerprint of driver_stats',
          topic: null,
          partition: null,
          appliedOffset: null,
          streamTimeUs: null,
          freshnessUs: 0,
          effectiveAtUs: Date.parse('2025-01-15T12:00:00Z') * 1_000,
        },
      ],
    });
  });

  const features = ['driver_stats:rides'];
  it.each<[string, UntypedOnlineRequest, string, string]>([
    [
      'rows with different keys',
      { features, entityRows: [{ driver_id: 1 }, { customer_id: '5' }] },
      'INVALID_ARGUMENT',
      'All entity_rows must have the same keys.',
    ],
    [
      'a row with fewer keys',
      { features, entityRows: [{ driver_id: 1, a: 1 }, { driver_id: 1 }] },
      'INVALID_ARGUMENT',
      'All entity_rows must have the same keys.',
    ],
    [
      'what is not rows',
      { features, entityRows: { driver_id: 1 } as never },
      'INVALID_ARGUMENT',
      'array',
    ],
    [
      'a row that is not an object',
      { features, entityRows: [1 as never] },
      'INVALID_ARGUMENT',
      'row 0',
    ],
    [
      'a missing join key',
      { features, entityRows: [{ driverid: 1 }] },
      'JOIN_KEY_MISSING',
      '"driver_id" (int64), a join key of view "driver_stats"; is "driverid" meant?',
    ],
    [
      'a key of another type',
      { features, entityRows: [{ driver_id: 1 }, { driver_id: 'x' }] },
      'VALUE_TYPE',
      'entity row 1, join key "driver_id"',
    ],
    [
      'missing request data',
      { features: ['bonus:pay'], entityRows: [{ driver_id: 1 }] },
      'MISSING_REQUEST_DATA',
      '"hours"',
    ],
    [
      'an unknown view',
      { features: ['driver_statz:rides'], entityRows: [] },
      'FEATURE_VIEW_NOT_FOUND',
      '"driver_stats"',
    ],
    [
      'a disabled view',
      { features: ['disabled:rides'], entityRows: [] },
      'FEATURE_VIEW_DISABLED',
      '"disabled"',
    ],
    [
      'a view that is not online',
      { features: ['offline_only:rides'], entityRows: [] },
      'NOT_MATERIALIZABLE',
      'not configured to be served online',
    ],
    ['an alias clash', { service: 'route', entityRows: [] }, 'FEATURE_NAME_COLLISION', '"first"'],
  ])('refuses %s', async (_, request, code, text) => {
    const [found, message] = await codeOf(request);
    expect(found).toBe(code);
    expect(message).toContain(text);
  });
});

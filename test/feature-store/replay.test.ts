import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FeatureStore } from '../../src/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { SPACE } from '../../src/state/index.ts';
import { statePrefixOf } from '../../src/state/key-schema.ts';
import {
  amounts,
  failure,
  orders,
  produce,
  runEngine,
  type Shop,
  type ShopRow,
  useShop,
  writeHistory,
} from './support.ts';

const newShop = useShop();
const day = (n: number): string => `2025-01-0${n}T00:00:00Z`;
const ROWS: readonly ShopRow[] = [
  ['a', day(2), 1],
  ['b', day(3), 2],
  ['a', day(5), 3],
  ['a', day(4), 4],
  ['c', day(1), null],
];

/** A shop whose engine has read its rows, and a row that is none. */
async function shopWith(shop: Shop): Promise<FeatureStore> {
  const store = await shop.open();
  await store.apply();
  await produce(store, ROWS);
  const log = await store.resources.log();
  await log.append([{ topic: orders.topic, partition: 0, key: null, value: Buffer.from('{') }]);
  await runEngine(store);
  return store;
}

async function letterCount(store: FeatureStore): Promise<number> {
  let count = 0;
  for await (const _ of store.deadLetters.list()) count++;
  return count;
}

describe('a replay', () => {
  it('that is dry says what it would read, and does nothing', async () => {
    const store = await shopWith(newShop());
    const before = await store.status();
    const result = await store.replay({ from: 'earliest', dryRun: true });
    expect(result).toMatchObject({ before: null, after: null, same: null });
    expect(result.plan.map(({ topic, fromOffset, clear }) => [topic, fromOffset, clear])).toEqual([
      ['orders', 0, true],
      ['orders', 0, true],
    ]);
    expect(result.plan.reduce((sum, { records }) => sum + records, 0)).toBe(ROWS.length + 1);
    expect(await store.status()).toEqual(before);
  });

  it('from the earliest rebuilds the same rows; history and dead letters stay as they were', async () => {
    const store = await shopWith(newShop());
    const segments = await store.segments('orders');
    const seen: number[] = [];
    const result = await store.replay({
      from: 'earliest',
      onProgress: ({ recordsDone }) => seen.push(recordsDone),
    });
    expect(result.same).toBe(true);
    expect(result.after).toEqual(result.before);
    expect(result.before?.['live']?.rows).toBe(3);
    expect(seen.at(-1)).toBe(ROWS.length + 1);
    expect(await amounts(store, ['a', 'b', 'c'], 'live')).toEqual([3, 2, null]);
    expect(await store.segments('orders')).toEqual(segments);
    expect(await letterCount(store)).toBe(1);
  });

  it('from an offset or a time changes nothing where nothing was wrong', async () => {
    const store = await shopWith(newShop());
    for (const from of [{ offset: 1 }, { timeMs: 0 }] as const) {
      const result = await store.replay({ from });
      expect(result.same).toBe(true);
      expect(result.plan.every(({ clear }) => !clear)).toBe(true);
    }
  });

  it('says that rows differ when what was stored was not what the log says', async () => {
    const store = await shopWith(newShop());
    const state = await store.resources.state();
    for await (const page of state.kv.scan({})) {
      for (const [key] of page) {
        const { sourceId, space } = statePrefixOf(key);
        const isRow = sourceId > 0 && space === SPACE.row;
        if (isRow) await state.kv.write(new KvBatch().delete(key));
      }
    }
    expect(await amounts(store, ['a'], 'live')).toEqual([undefined]);
    const result = await store.replay({ from: 'earliest' });
    expect(result.same).toBe(false);
    expect(await amounts(store, ['a'], 'live')).toEqual([3]);
  });

  it('that meets records which were not applied before cannot compare', async () => {
    const store = await shopWith(newShop());
    await produce(store, [['d', day(6), 9]]);
    expect((await store.replay({ from: 'earliest' })).same).toBeNull();
    expect(await amounts(store, ['d'], 'live')).toEqual([9]);
  });

  it('leaves batch history alone', async () => {
    const shop = newShop();
    await writeHistory(shop, [['a', day(2), 7]]);
    const store = await shopWith(shop);
    await store.materialize({ startTime: day(1), endTime: day(9) });
    expect((await store.replay({ from: 'earliest' })).same).toBe(true);
    expect(await amounts(store, ['a'])).toEqual([7]);
  });

  it('is of topic sources that are there', async () => {
    const store = await shopWith(newShop());
    const run = (sources: string[]) => store.replay({ from: 'earliest', sources });
    expect((await failure(() => run(['nowhere']))).code).toBe('SOURCE_NOT_FOUND');
    expect((await failure(() => run(['history']))).code).toBe('SOURCE_NOT_FOUND');
    expect((await run(['orders'])).same).toBe(true);
  });
});

describe('a replay of a topic whose beginning retention removed', () => {
  async function shortened(): Promise<FeatureStore> {
    const store = await shopWith(newShop());
    const log = await store.resources.log();
    for (const { partition, end } of await log.watermarks(
      [0, 1].map((p) => ({ topic: orders.topic, partition: p })),
    )) {
      await log.deleteRecordsBefore({ topic: orders.topic, partition }, end - 1);
    }
    return store;
  }

  it('is refused, dry or not, and leaves the values as they were', async () => {
    const store = await shortened();
    for (const dryRun of [true, false]) {
      const error = await failure(() => store.replay({ from: 'earliest', dryRun }));
      expect(error.code).toBe('OFFSET_GAP');
      expect(error.message).toMatch(/^records 0 to \d are in the online store/);
      expect(error.next).toContain('--views');
    }
    expect(await amounts(store, ['a', 'b', 'c'], 'live')).toEqual([3, 2, null]);
  });

  it('is done by single views from the segments, which have all rows', async () => {
    const store = await shortened();
    expect(await store.replay({ from: 'earliest', views: ['live'] })).toMatchObject({ same: true });
    expect(await amounts(store, ['a', 'b', 'c'], 'live')).toEqual([3, 2, null]);
  });

  it('rebuilds what is left where that is asked for, and the status says what is missing', async () => {
    const store = await shortened();
    const result = await store.replay({ from: 'earliest', skipGap: true });
    expect(result.same).toBe(false);
    const [status] = await store.status();
    expect(status?.gaps.map(({ of, fromOffset }) => [of, fromOffset])).toEqual(
      result.plan.flatMap(({ lost }) => lost.map(({ fromOffset }) => ['state', fromOffset])),
    );
    expect(status?.gaps.length).toBeGreaterThan(0);
    expect(await store.replay({ from: 'earliest' })).toMatchObject({ same: true });
  });

  it('beside the live stores compares, and says that they differ', async () => {
    const store = await shortened();
    const into = join(store.resources.config.repoDir, 'beside');
    expect(await store.replay({ from: 'earliest', into })).toMatchObject({ same: false });
  });

  it('skips a gap only where one can be', async () => {
    const store = await shortened();
    const impossible = [
      { from: { offset: 1 } },
      { from: 'earliest', into: 'beside' },
      { from: 'earliest', views: ['live'] },
    ] as const;
    for (const options of impossible) {
      const error = await failure(() => store.replay({ ...options, skipGap: true }));
      expect(error.code).toBe('INVALID_ARGUMENT');
    }
  });
});

describe('a replay into another folder', () => {
  it('compares without touching the live stores, the log or the states of views', async () => {
    const shop = newShop();
    const store = await shopWith(shop);
    const into = join(shop.directory, 'beside');
    const [status, registry] = [await store.status(), await store.registry()];
    const result = await store.replay({ from: 'earliest', into });
    expect(result.same).toBe(true);
    expect(result.after).toEqual(result.before);
    expect(existsSync(join(into, 'online'))).toBe(true);
    expect(existsSync(join(into, 'offline', 'orders'))).toBe(true);
    expect(await store.status()).toEqual(status);
    expect(await store.registry()).toEqual(registry);
    expect(await letterCount(store)).toBe(1);
    await produce(store, [['e', day(6), 1]]);
    await runEngine(store);
    expect(await amounts(store, ['e'], 'live')).toEqual([1]);
  });

  it('begins at the earliest record', async () => {
    const shop = newShop();
    const store = await shopWith(shop);
    const into = join(shop.directory, 'beside');
    const error = await failure(() => store.replay({ from: { offset: 1 }, into }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(existsSync(into)).toBe(false);
  });
});

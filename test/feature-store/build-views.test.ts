import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Definition,
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  sliding,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';

const shop = entity({ name: 'shop', joinKeys: { shop: 'string' } });
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  format: 'json',
  schema: { at: 'timestamp', shop: 'string', amount: 'float64', items: 'int32' },
  timestampField: 'at',
  keyFields: ['shop'],
  partitions: 2,
});
const common = { entities: [shop], source: sales, grace: '10m' } as const;
const before = windowedFeatureView({
  ...common,
  name: 'shop_sales',
  aggregations: [{ function: 'count', window: sliding('1h'), name: 'sales_1h' }],
});
const after = windowedFeatureView({
  ...common,
  name: 'shop_sales',
  aggregations: [
    { function: 'count', window: sliding('1h'), name: 'sales_1h' },
    { column: 'amount', function: 'sum', window: sliding('1h'), name: 'amount_1h' },
    { column: 'items', function: 'max', window: tumbling('30m'), name: 'items_30m' },
  ],
});
const newest = featureView({
  name: 'newest_sale',
  entities: [shop],
  source: sales,
  schema: { amount: 'float64' },
});
const START_MS = Date.parse('2026-03-01T00:00:00Z');
const AS_OF = new Date(START_MS + 120 * 60_000);

describe('a view that is added or changed', () => {
  let directory: string;
  let store: FeatureStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-build-'));
    store = await open([shop, sales, before]);
    await store.apply();
    await produce(0, 400);
    await runEngine();
  });

  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is built from history when the engine starts, to the bytes that a replay gives', async () => {
    await reopen([shop, sales, after, newest]);
    await produce(400, 30);
    const built: string[] = [];
    await store.startEngine({ onBuild: ({ view }) => built.push(view) }).then((e) => e.caughtUp());
    await store.stopEngine();
    expect(new Set(built)).toEqual(new Set(['shop_sales', 'newest_sale']));
    const found = await store.checksum();
    expect(found['shop_sales']?.rows).toBe(7);
    expect(found['newest_sale']?.rows).toBe(7);
    const replayed = await store.replay({ from: 'earliest' });
    expect(replayed.same).toBe(true);
    expect(await store.checksum()).toEqual(found);
    expect((await store.verify()).same).toBe(true);
  });

  it('is built while the stream runs on and feeds the other views', async () => {
    await reopen([shop, sales, before, newest]);
    await runEngine();
    await reopen([shop, sales, after, newest]);
    let producing: Promise<void> | undefined;
    let read: Promise<unknown> | undefined;
    const engine = await store.startEngine({
      onBuild: () => {
        producing ??= (async () => {
          for (let i = 0; i < 10; i++) await produce(400 + i * 40, 40);
        })();
        read ??= store.getOnlineFeatures({
          features: ['newest_sale:amount'],
          entityRows: [{ shop: 's1' }],
        });
      },
    });
    await engine.caughtUp();
    expect(await read).toMatchObject({ rows: [{ shop: 's1' }] });
    await producing;
    await engine.caughtUp();
    await store.stopEngine();
    const found = await store.checksum();
    expect((await store.replay({ from: 'earliest' })).same).toBe(true);
    expect(await store.checksum()).toEqual(found);
    expect((await store.verify()).same).toBe(true);
  });

  it('is built from the log, too, where rows were not in segments yet', async () => {
    await store.close();
    // An engine that ends without stopping: what it buffers is in state and in no segment.
    store = await open([shop, sales, before]);
    await produce(400, 50);
    const engine = await store.startEngine();
    await engine.caughtUp();
    const crashed = store;
    const kill = crashed.resources.segments;
    crashed.resources.segments = () => Promise.reject(new Error('the power is gone'));
    await crashed.close().catch(() => {});
    crashed.resources.segments = kill;
    await reopenClosed([shop, sales, after]);
    await runEngine();
    const found = await store.checksum();
    expect((await store.replay({ from: 'earliest' })).same).toBe(true);
    expect(await store.checksum()).toEqual(found);
  });

  it('is replayed alone, to the bytes it had, and leaves the others as they are', async () => {
    await reopen([shop, sales, after, newest]);
    await runEngine();
    const checksum = await store.checksum();
    const dry = await store.replay({ from: 'earliest', views: ['shop_sales'], dryRun: true });
    expect(dry).toMatchObject({ same: null, plan: [{ partition: 0 }, { partition: 1 }] });
    const result = await store.replay({ from: 'earliest', views: ['shop_sales'] });
    expect(result).toMatchObject({ same: true, after: { shop_sales: checksum['shop_sales'] } });
    expect(await store.checksum()).toEqual(checksum);
    await produce(400, 20);
    await runEngine();
    expect((await store.verify()).same).toBe(true);
    const refuse = (views: string[], from: 'earliest' | { offset: number } = 'earliest') =>
      expect(store.replay({ from, views })).rejects;
    await refuse(['shop_sale']).toMatchObject({ code: 'FEATURE_VIEW_NOT_FOUND' });
    await refuse(['shop_sales'], { offset: 3 }).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('is not read by a definition that it was not built from', async () => {
    await reopen([shop, sales, after]);
    const read = store.getOnlineFeatures({
      features: ['shop_sales:amount_1h'],
      entityRows: [{ shop: 's1' }],
      asOf: AS_OF,
    });
    await expect(read).rejects.toMatchObject({ code: 'VIEW_STATE_OUTDATED' });
    await runEngine();
    const answer = await store.getOnlineFeatures({
      features: ['shop_sales:amount_1h'],
      entityRows: [{ shop: 's1' }],
      asOf: AS_OF,
    });
    expect(answer.rows[0]?.['amount_1h']).toBeGreaterThan(0);
  });

  it('is read by the old definition until the new state is whole', async () => {
    const reader = await open([shop, sales, before]);
    const read = () =>
      reader.getOnlineFeatures({ features: [before], entityRows: [{ shop: 's1' }], asOf: AS_OF });
    const was = (await read()).rows;
    await reopen([shop, sales, after]);
    const engine = await store.startEngine({
      onBuild: () => {
        throw new Error('stopped in the middle');
      },
    });
    await expect(engine.caughtUp()).rejects.toThrow('stopped in the middle');
    await store.close().catch(() => {});
    const late = await open([shop, sales, before]);
    expect(
      (
        await late.getOnlineFeatures({
          features: [before],
          entityRows: [{ shop: 's1' }],
          asOf: AS_OF,
        })
      ).rows,
    ).toEqual(was);
    await late.close();
    await reader.close();
    await reopenClosed([shop, sales, after]);
    await runEngine();
    expect((await store.verify()).same).toBe(true);
  });

  function open(definitions: readonly Definition[]): Promise<FeatureStore> {
    return openFeatureStore({ directory, definitions, config: { project: 'build' } });
  }

  async function reopen(definitions: readonly Definition[]): Promise<void> {
    await store.close();
    await reopenClosed(definitions);
  }

  async function reopenClosed(definitions: readonly Definition[]): Promise<void> {
    store = await open(definitions);
    await store.apply();
  }

  async function runEngine(): Promise<void> {
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }

  /** Rows of seven shops over two hours, some out of order, some late. */
  async function produce(from: number, count: number): Promise<void> {
    await using producer = await store.producer(sales);
    const rows = Array.from({ length: count }, (_, k) => {
      const i = from + k;
      const backMs = i % 11 === 0 ? 25 * 60_000 : (i % 5) * 30_000;
      return {
        at: new Date(START_MS + i * 17_000 - backMs),
        shop: `s${i % 7}`,
        amount: i % 13 === 0 ? null : i / 8,
        items: i % 9,
      };
    });
    await producer.send(rows);
  }
});

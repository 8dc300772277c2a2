/** Schemas that change while producers and engine run, and a registry that is away. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Definition, FeatureStore } from '../../../src/index.ts';
import { events } from '../../pipeline/events.ts';
import {
  failure,
  type Gateway,
  letters,
  online,
  openGateway,
  order,
  produce,
  runEngine,
  type Shop,
  Shops,
} from './shop.ts';
import { describeKafka, until } from './support.ts';

const shops = new Shops();
afterAll(() => shops.close());

const amountOf = async (store: FeatureStore, user: string): Promise<unknown> =>
  (await online(store, ['last_order:amount'], [user]))['amount']?.[0];

describeKafka('producer and engine of two versions', () => {
  let shop: Shop;
  let old: FeatureStore;
  beforeAll(async () => {
    shop = await shops.add();
    old = await shop.open();
    await old.apply();
  });

  it('understand each other when the producer is newer', async () => {
    await produce(old, [order(1, 'a')]);
    const engine = await old.startEngine();
    await produce(old, [{ ...order(2, 'a'), currency: 'EUR' }], shop.source(2));
    await produce(old, [{ ...order(3, 'b'), currency: null }], shop.source(2));
    await engine.caughtUp();
    expect([await amountOf(old, 'a'), await amountOf(old, 'b')]).toEqual([2, 3]);
    await old.close();
  });

  it('understand each other when the engine is newer, whose history has the new field', async () => {
    await using store = await shop.open({ definitions: shop.definitions(2) });
    expect((await store.apply()).map(({ transition }) => transition)).toContain('UPDATE');
    const engine = await store.startEngine();
    await produce(store, [order(4, 'a')], shop.source(1));
    await produce(store, [{ ...order(5, 'b'), currency: 'USD' }]);
    await engine.caughtUp();
    expect([await amountOf(store, 'a'), await amountOf(store, 'b')]).toEqual([4, 5]);
    await store.stopEngine();
    expect(await letters(store)).toEqual([]);
    const sums = await online(store, ['spending:amount_sum'], ['a', 'b']);
    expect(sums).toEqual({ amount_sum: [1 + 2 + 4, 3 + 5] });
    const duckdb = await store.resources.duckdb();
    const files = join(shop.directory, `data/offline/${shop.topic}/*.parquet`);
    const rows = await duckdb.query(
      `SELECT amount::INT AS amount, currency FROM read_parquet('${files}', union_by_name = true) ORDER BY 1`,
    );
    expect(rows.filter(({ currency }) => currency !== null)).toEqual([
      { amount: 5, currency: 'USD' },
    ]);
    expect(rows).toHaveLength(5);
  });

  it('are refused at apply when a schema cannot follow what is in the registry', async () => {
    // Another repository, which does not know what the first has applied.
    const source = { ...shop.source(), schema: { ...shop.source().schema, amount: 'string' } };
    const definitions = shop.definitions().map((view) => ({ ...view, streamSource: source }));
    const broken = definitions
      .filter(({ name }) => name === 'last_order')
      .map((view) => ({ ...view, schema: { amount: 'string' } }));
    await using store = await shop.open({
      definitions: broken as unknown as readonly Definition[],
      directory: join(shop.directory, 'other'),
    });
    const error = await failure(() => store.apply());
    expect(error).toMatchObject({ code: 'SCHEMA_INCOMPATIBLE' });
    expect(error.message).toContain('"long"');
    expect((await store.registry()).definitions).toEqual([]);
  });
});

describeKafka('a registry that is down', () => {
  let shop: Shop;
  let gateway: Gateway;
  beforeAll(async () => {
    shop = await shops.add();
    gateway = await openGateway(await shops.registryUrl());
    shops.onClose(() => gateway.close());
  });

  it('costs a running engine nothing for schemas that it has seen', async () => {
    await using store = await shop.open({ registryUrl: gateway.url });
    await store.apply();
    await using producer = await store.producer(store.topicSource('orders'));
    await producer.send([order(1, 'a')] as never, { strict: true });
    const engine = await store.startEngine();
    await engine.caughtUp();
    await gateway.down();
    await producer.send([order(2, 'a'), order(3, 'b')] as never, { strict: true });
    await engine.caughtUp();
    expect([await amountOf(store, 'a'), await amountOf(store, 'b')]).toEqual([2, 3]);
  });

  it('lets an engine wait for a schema that it has not seen, and read on when it is back', async () => {
    await using store = await shop.open({ registryUrl: gateway.url });
    await gateway.up();
    const engine = await store.startEngine();
    await engine.caughtUp();
    await gateway.down();
    using retries = events('retry');
    await using direct = await shop.open({ directory: join(shop.directory, 'direct') });
    await produce(direct, [{ ...order(4, 'a'), currency: 'EUR' }], shop.source(2));
    await until(() => retries.all.length > 0);
    expect(retries.all[0]).toMatchObject({ code: 'SCHEMA_REGISTRY_UNAVAILABLE' });
    expect(await amountOf(store, 'a')).toBe(2);
    await gateway.up();
    await engine.caughtUp();
    expect(await amountOf(store, 'a')).toBe(4);
    expect(await letters(store)).toEqual([]);
  });

  it('is said at apply and at the start of the engine, with its address', async () => {
    await gateway.down();
    await using store = await shop.open({ registryUrl: gateway.url });
    for (const attempt of [() => store.startEngine(), () => runEngine(store)]) {
      const error = await failure(attempt);
      expect(error).toMatchObject({ code: 'SCHEMA_REGISTRY_UNAVAILABLE', retriable: true });
      expect(error.message).toContain(gateway.url);
    }
    const fresh = await shops.add();
    await using other = await fresh.open({ registryUrl: gateway.url });
    expect((await failure(() => other.apply())).code).toBe('SCHEMA_REGISTRY_UNAVAILABLE');
    const log = await other.resources.log();
    expect(await log.listTopics()).not.toContain(fresh.topic);
  });
});

/** The whole job on the broker and the registry of this run: what a feature repository does on Kafka. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHttpSchemaRegistry } from '../../../connectors/schema-registry/index.ts';
import { avroSchemaOf, createRowEncoder, subjectOf } from '../../../src/codec/index.ts';
import { type FeatureStore, topicSource } from '../../../src/index.ts';
import { letters, online, order, orders, produce, runEngine, type Shop, Shops } from './shop.ts';
import { describeKafka } from './support.ts';

const shops = new Shops();
afterAll(() => shops.close());

const USERS = Array.from({ length: 7 }, (_, i) => `user-${i}`);
const ROWS = 700;
/** Order `i` is of user `i % 7`. */
const NEWEST = USERS.map((_, i) => ROWS - 7 + i);
const SUMS = USERS.map((_, user) => {
  let sum = 0;
  for (let i = user; i < ROWS; i += 7) sum += i;
  return sum;
});

describeKafka('a feature repository on Kafka', () => {
  let shop: Shop;
  let store: FeatureStore;
  beforeAll(async () => {
    shop = await shops.add();
    store = await shop.open();
  });

  it('has topics whose clock is the broker’s, and schemas in the registry, once applied', async () => {
    const changes = await store.apply();
    expect(changes.every(({ transition }) => transition === 'CREATE')).toBe(true);
    const log = await store.resources.log();
    expect(await log.describeTopic(shop.topic)).toMatchObject({
      partitions: 3,
      timestampType: 'LogAppendTime',
    });
    const { deadLetterTopic } = store.config.engine;
    expect(await log.listTopics()).toEqual(expect.arrayContaining([shop.topic, deadLetterTopic]));
    const registry = createHttpSchemaRegistry({ url: await shops.registryUrl() });
    const latest = await registry.latest(subjectOf(shop.topic));
    expect(JSON.parse(latest?.schema ?? '')).toMatchObject({ type: 'record', name: 'Orders' });
    const again = await store.apply();
    expect(again.every(({ transition }) => transition === 'UNCHANGED')).toBe(true);
  });

  it('serves what was produced to it, and trains on the same', async () => {
    await produce(store, orders(ROWS));
    await runEngine(store);
    const features = ['last_order:amount', 'spending:order_count', 'spending:amount_sum'];
    expect(await online(store, features, USERS)).toEqual({
      amount: NEWEST,
      order_count: USERS.map(() => ROWS / 7),
      amount_sum: SUMS,
    });
    await using joined = await store.getHistoricalFeatures({
      features,
      entityRows: USERS.map((user) => ({ user, event_timestamp: new Date() })),
    } as never);
    const rows = (await joined.toArray()) as Record<string, unknown>[];
    expect(
      rows.map((row) => [row['amount'], row['order_count'], row['amount_sum']].map(Number)),
    ).toEqual(USERS.map((_, i) => [NEWEST[i], ROWS / 7, SUMS[i]]));
    expect(await store.verify()).toMatchObject({ same: true });
  });

  it('has told the group how far history is published, and goes on from its own positions', async () => {
    const [status] = await store.status();
    const tps = (status?.partitions ?? []).map(({ topic, partition }) => ({ topic, partition }));
    const log = await store.resources.log();
    const committed = await log.committedOffsets(store.config.engine.group, tps);
    expect(committed).toEqual(status?.partitions.map(({ sealed }) => sealed || null));
    expect(
      status?.partitions.every(({ applied, sealed, end }) => applied === end && sealed === end),
    ).toBe(true);
    await log.commitOffsets(
      store.config.engine.group,
      tps.map((tp) => ({ ...tp, offset: 0 })),
    );
    await runEngine(store);
    expect(await online(store, ['spending:amount_sum'], USERS)).toEqual({ amount_sum: SUMS });
  });

  it.each([
    ['the earliest', () => 'earliest' as const],
    ['an offset', () => ({ offset: 5 })],
    ['a time', () => ({ timeMs: 0 })],
  ])('is the same to the last byte after a replay from %s', async (_, from) => {
    const before = await store.checksum();
    const result = await store.replay({ from: from() });
    expect(result.same).toBe(true);
    expect(await store.checksum()).toEqual(before);
  });

  it('is the same in another folder, made from the log alone', async () => {
    const result = await store.replay({ from: 'earliest', into: join(shop.directory, 'beside') });
    expect(result.same).toBe(true);
    expect(result.after).toEqual(result.before);
    expect(await letters(store)).toEqual([]);
  });

  it('reads what another process has produced meanwhile', async () => {
    await using other = await shop.open({ directory: join(shop.directory, 'producer') });
    const engine = await store.startEngine();
    await produce(other, [order(10_000, 'user-0')], shop.source());
    await engine.caughtUp();
    expect(await online(store, ['last_order:amount'], ['user-0'])).toEqual({ amount: [10_000] });
    await store.stopEngine();
  });

  it('leaves nothing behind on the broker after a teardown', async () => {
    await store.teardown();
    const log = await store.resources.log();
    expect((await log.listTopics()).filter((topic) => topic.startsWith(shop.project))).toEqual([]);
  });
});

describeKafka('dead letters on Kafka', () => {
  it('say what was wrong where, and go again once the schema is mended', async () => {
    const shop = await shops.add();
    const noted = { user: 'string', at: 'timestamp', amount: 'int64', note: 'string' } as const;
    const common = {
      name: 'orders',
      topic: shop.topic,
      timestampField: 'at',
      keyFields: ['user'],
      partitions: 3,
    } as const;
    const strict = { ...shop.source(), schema: noted } as never;
    const withNotes = shop
      .definitions()
      .map((view) => ({ ...view, streamSource: strict }) as never);
    const store = await shop.open({ definitions: withNotes });
    await store.apply();
    // Another team writes notes as a number, and registers its schema under a name of its own.
    const theirs = topicSource({ ...common, schema: { ...noted, note: 'bool' } });
    const registry = createHttpSchemaRegistry({ url: await shops.registryUrl() });
    const id = await registry.register(`${shop.project}-theirs`, avroSchemaOf(theirs));
    const encoder = createRowEncoder({ source: theirs, schemaId: id });
    const row = { ...order(1, 'user-1'), note: true };
    const [key, value] = [encoder.encodeKey(row), encoder.encode(row)];
    const log = await store.resources.log();
    await log.append([{ topic: shop.topic, key, value }]);
    await runEngine(store);
    const [letter, ...more] = await letters(store);
    expect(more).toEqual([]);
    expect(letter).toMatchObject({
      id: 0,
      code: 'SCHEMA_INCOMPATIBLE',
      topic: shop.topic,
      offset: 0,
    });
    expect(letter?.reason).toContain('note');
    expect(Buffer.compare(letter?.value ?? new Uint8Array(), value)).toBe(0);
    expect(await online(store, ['last_order:amount'], ['user-1'])).toEqual({ amount: [null] });
    await store.close();

    await using mended = await shop.open();
    await mended.apply();
    expect(await mended.deadLetters.retry()).toEqual({ sent: 1, truncated: 0 });
    await runEngine(mended);
    expect(await online(mended, ['last_order:amount'], ['user-1'])).toEqual({ amount: [1] });
    expect(await letters(mended)).toHaveLength(1);
    expect(await mended.deadLetters.retry()).toEqual({ sent: 0, truncated: 0 });
  });

  it('take a row of a schema that the registry does not know, and the stream goes on', async () => {
    const shop = await shops.add();
    await using store = await shop.open();
    await store.apply();
    const log = await store.resources.log();
    const unknown = Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 2, 2]);
    await log.append([{ topic: shop.topic, partition: 0, key: null, value: unknown }]);
    await produce(store, orders(14));
    await runEngine(store);
    expect(await letters(store)).toMatchObject([
      { code: 'SCHEMA_ID_UNKNOWN', partition: 0, offset: 0 },
    ]);
    expect(await online(store, ['spending:order_count'], USERS)).toEqual({
      order_count: USERS.map(() => 2),
    });
  });
});

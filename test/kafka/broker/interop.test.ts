/** Rows of clients that are not ours are read as ours are, and the other way round. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRowEncoder } from '../../../src/codec/index.ts';
import { partitionForKey } from '../../../src/core/murmur2.ts';
import type { FeatureStore, TopicSource } from '../../../src/index.ts';
import { readAll } from '../../contract/log-support.ts';
import {
  type Client,
  type FoundClient,
  findConfluentPython,
  findKafkaTool,
} from './other-clients.ts';
import { letters, produce, runEngine, type Shop, Shops } from './shop.ts';
import { brokers, describeKafka, seededRandom } from './support.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_261_126);
const USERS = ['user-0', 'émilie', '用户', 'of "two" words', '42', 'null', '🜁'];
const PARTITIONS = 3;
const BEGIN_MS = Date.parse('2026-01-01T00:00:00Z');
/** JavaScript writes it as text, Python as a number. */
const BEYOND_DOUBLE = '9007199254740993';
const FEATURES = [
  'last_order:amount',
  'spending:order_count',
  'spending:amount_sum',
  'spending:amount_mean_1h',
];

interface Order {
  readonly user: string;
  readonly at: string;
  readonly amount: number | string | null;
}

/** Orders of a day: to the microsecond, some without an amount, one beyond a double. */
function someOrders(seed: number): Order[] {
  const random = seededRandom(seed);
  return Array.from({ length: 600 }, (_, i) => {
    const micros = String(Math.trunc(random() * 1_000)).padStart(3, '0');
    const at = new Date(BEGIN_MS + i * 144_000).toISOString().replace('Z', `${micros}Z`);
    const user = USERS[Math.trunc(random() * USERS.length)] as string;
    const amount = random() < 0.1 ? null : Math.trunc(random() * 2e6) - 1e6;
    return { user, at, amount: i === 500 ? BEYOND_DOUBLE : amount };
  });
}

console.log('seed', SEED);
const ORDERS = someOrders(SEED);
const LINES = ORDERS.map((row) => JSON.stringify(row));

const shops = new Shops();
afterAll(() => shops.close());

/** What another team may register: in another order and with more in it. */
const THEIR_SCHEMA = {
  type: 'record',
  name: 'Orders',
  namespace: 'freshet',
  fields: [
    { name: 'channel', type: ['null', 'string'], default: null },
    { name: 'amount', type: ['long', 'null'], default: 0 },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'user', type: ['null', 'string'], default: null },
  ],
};

interface ReadByPython {
  readonly partition: number;
  readonly key: string;
  readonly row: Order;
}

const byTime = (a: Order, b: Order): number => (a.at < b.at ? -1 : 1);

/** What both stores say of the orders. */
async function valuesOf(store: FeatureStore): Promise<unknown> {
  const entityRows = USERS.map((user) => ({ user }));
  const online = await store.getOnlineFeatures({ features: FEATURES, entityRows } as never);
  const spine = USERS.flatMap((user) =>
    [0, 3, 11, 30].map((hour) => ({
      user,
      event_timestamp: new Date(BEGIN_MS + hour * 3_600_000),
    })),
  );
  await using joined = await store.getHistoricalFeatures({
    features: FEATURES,
    entityRows: spine,
  } as never);
  return { online: online.toColumns(), joined: await joined.toArray() };
}

/** A store whose orders were sent by our own producer. */
async function ownValues(format: 'avro' | 'json'): Promise<unknown> {
  const store = await openStore(await shops.add(), format);
  await produce(store, ORDERS as never);
  await runEngine(store);
  return valuesOf(store);
}

async function openStore(shop: Shop, format: 'avro' | 'json'): Promise<FeatureStore> {
  const streamSource = { ...shop.source(), format } as TopicSource;
  const definitions = shop.definitions().map((view) => ({ ...view, streamSource }) as never);
  const store = await shop.open({ definitions });
  await store.apply();
  return store;
}

/** How many records are in the partition that their key leads to, and how many elsewhere. */
async function placesOf(
  store: FeatureStore,
  topic: string,
): Promise<{ home: number; away: number }> {
  let [home, away] = [0, 0];
  for (const { partition, keys } of await readAll(await store.resources.log(), topic)) {
    for (const key of keys) {
      if (key !== null && partitionForKey(key, PARTITIONS) === partition) home++;
      else away++;
    }
  }
  return { home, away };
}

/** Runs where there is a broker and the client. */
function describeClient(name: string, client: FoundClient, define: (run: Client) => void): void {
  if ('run' in client) describeKafka(name, () => define(client.run));
  else describe.skip(`${name} (${client.reason})`, () => it('is not there', () => {}));
}

const python = await findConfluentPython();
const consoleProducer = await findKafkaTool('ConsoleProducer');

describeClient('confluent-kafka for Python', python, (run) => {
  let own: unknown;
  beforeAll(async () => {
    own = await ownValues('avro');
  });

  const send = async (
    topic: string,
    partitioner: string,
    schema: string,
    keyFields = 'user',
  ): Promise<number[]> => {
    const service = [brokers.join(), await shops.registryUrl()];
    const args = ['produce', ...service, topic, partitioner, schema, keyFields];
    return JSON.parse(
      await run(args, LINES.join('\n').replace(`"${BEYOND_DOUBLE}"`, BEYOND_DOUBLE)),
    ) as number[];
  };

  it('sends rows by the registered schema, which are read as ours are', async () => {
    const shop = await shops.add();
    const store = await openStore(shop, 'avro');
    const partitions = await send(shop.topic, 'murmur2_random', 'latest');
    expect(partitions).toEqual(
      ORDERS.map(({ user }) => partitionForKey(Buffer.from(user), PARTITIONS)),
    );
    await runEngine(store);
    expect(await placesOf(store, shop.topic)).toEqual({ home: ORDERS.length, away: 0 });
    expect(await letters(store)).toEqual([]);
    expect(await valuesOf(store)).toEqual(own);
    expect(await store.verify()).toMatchObject({ same: true });
  });

  it('sends rows by a schema of its own, with fields that the engine does not know', async () => {
    const shop = await shops.add();
    const store = await openStore(shop, 'avro');
    await send(shop.topic, 'murmur2_random', JSON.stringify(THEIR_SCHEMA));
    await runEngine(store);
    expect(await letters(store)).toEqual([]);
    expect(await valuesOf(store)).toEqual(own);
  });

  it('puts keys elsewhere by the default partitioner of librdkafka: the values are the same', async () => {
    const shop = await shops.add();
    const store = await openStore(shop, 'avro');
    await send(shop.topic, 'consistent_random', 'latest');
    await runEngine(store);
    expect((await placesOf(store, shop.topic)).away).toBeGreaterThan(0);
    expect(await valuesOf(store)).toEqual(own);
    expect(await store.verify()).toMatchObject({ same: true });
  });

  it('makes the key of several fields as our producer does', async () => {
    const shop = await shops.add();
    await openStore(shop, 'avro');
    const source = { ...shop.source(), keyFields: ['user', 'at'] } as TopicSource;
    const { encodeKey } = createRowEncoder({ source, schemaId: 1 });
    expect(await send(shop.topic, 'murmur2_random', 'latest', 'user,at')).toEqual(
      ORDERS.map((row) => partitionForKey(encodeKey({ ...row }) as Uint8Array, PARTITIONS)),
    );
  });

  it('reads the rows that our producer sends', async () => {
    const shop = await shops.add();
    const store = await openStore(shop, 'avro');
    await produce(store, ORDERS as never);
    const output = await run(['read', brokers.join(), await shops.registryUrl(), shop.topic]);
    const read = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line.replace(BEYOND_DOUBLE, '"$&"')) as ReadByPython);
    expect(
      read.map(({ row }) => ({ ...row, at: row.at.replace('+00:00', 'Z') })).sort(byTime),
    ).toEqual([...ORDERS].sort(byTime));
    for (const { key, row, partition } of read) {
      expect(key).toBe(row.user);
      expect(partition).toBe(partitionForKey(Buffer.from(key), PARTITIONS));
    }
  });
});

describeClient('the console producer of Kafka', consoleProducer, (run) => {
  it('sends JSON rows with keys, which are read as ours are', async () => {
    const shop = await shops.add();
    const store = await openStore(shop, 'json');
    const options = [
      ...['--bootstrap-server', brokers.join(), '--topic', shop.topic],
      ...['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=|'],
    ];
    await run(options, ORDERS.map(({ user }, i) => `${user}|${LINES[i]}\n`).join(''));
    await runEngine(store);
    expect(await placesOf(store, shop.topic)).toEqual({ home: ORDERS.length, away: 0 });
    expect(await letters(store)).toEqual([]);
    expect(await valuesOf(store)).toEqual(await ownValues('json'));
    expect(await store.verify()).toMatchObject({ same: true });
  });
});

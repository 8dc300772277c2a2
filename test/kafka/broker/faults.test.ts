/** What goes wrong while an engine runs on Kafka; afterwards state and history are what the log says. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, expect, inject, it } from 'vitest';
import { type DevKafka, startDevKafka } from '../../../connectors/kafka-dev/index.ts';
import type { FeatureStore } from '../../../src/index.ts';
import { events } from '../../pipeline/events.ts';
import { failure, letters, online, orders, produce, runEngine, type Shop, Shops } from './shop.ts';
import { brokers, describeKafka, seededRandom, until } from './support.ts';
import { Worker } from './worker.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_261_125);
/** `FRESHET_KILLS=50` for a long run. */
const KILLS = Number(process.env['FRESHET_KILLS'] ?? 10);
const USERS = Array.from({ length: 7 }, (_, i) => `user-${i}`);
const SESSION_MS = 1_500;
/** Small batches and segments: many steps of the commit for few rows. */
const SMALL = { engine: { batchRecordsMax: 256 }, offlineStore: { segmentRowsMax: 2_000 } };

const shops = new Shops();
const workers: Worker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.end('SIGKILL');
});
afterAll(() => shops.close());

async function startWorker(shop: Shop, directory = shop.directory): Promise<Worker> {
  const config = { ...(await kafkaConfig(shop)), ...SMALL };
  const worker = new Worker({ directory, topic: shop.topic, config });
  workers.push(worker);
  return worker;
}

async function kafkaConfig({ project }: Shop, at: readonly string[] = brokers) {
  const schemaRegistry = { url: await shops.registryUrl() };
  const type = 'kafka' as const;
  const log = { type, brokers: [...at], schemaRegistry, sessionTimeoutMs: SESSION_MS };
  return { project, log };
}

/** Orders with the numbers 0 to `rows - 1`, each in segments and in windows once; bad ones aside once. */
async function expectEveryRowOnce(store: FeatureStore, shop: Shop, rows: number): Promise<void> {
  const [status] = await store.status();
  const partitions = status?.partitions ?? [];
  const entries = await store.segments('orders');
  for (const { partition, applied, sealed, end } of partitions) {
    expect({ applied, sealed }).toEqual({ applied: end, sealed: end });
    const ranges = entries.filter((entry) => entry.partition === partition);
    ranges.sort((a, b) => a.startOffset - b.startOffset);
    expect(ranges.map(({ startOffset }) => startOffset)).toEqual(
      ranges.map((_, i) => (i === 0 ? 0 : ranges[i - 1]?.endOffset)),
    );
    expect(ranges.at(-1)?.endOffset ?? 0).toBe(end);
  }
  const folder = join(store.config.offlineStore.path, shop.topic);
  const named = entries.flatMap(({ file }) => (file === null ? [] : [file.replace(/^.*\//, '')]));
  expect((await readdir(folder)).sort()).toEqual(named.sort());
  const duckdb = await store.resources.duckdb();
  const [sums] = await duckdb.query(
    `SELECT count(*)::INT AS n, count(DISTINCT amount)::INT AS different, min(amount)::INT AS least,
       max(amount)::INT AS greatest FROM read_parquet('${folder}/*.parquet')`,
  );
  expect(sums).toEqual({ n: rows, different: rows, least: 0, greatest: rows - 1 });
  const ofUser = USERS.map((_, user) => Math.ceil((rows - user) / USERS.length));
  expect(
    await online(
      store,
      ['spending:order_count', 'spending:amount_sum', 'last_order:amount'],
      USERS,
    ),
  ).toEqual({
    order_count: ofUser,
    amount_sum: ofUser.map((n, user) => n * user + (USERS.length * n * (n - 1)) / 2),
    amount: ofUser.map((n, user) => user + USERS.length * (n - 1)),
  });
  const places = (await letters(store)).map(({ partition, offset }) => `${partition}:${offset}`);
  expect(new Set(places).size).toBe(places.length);
  const rejected = partitions.reduce((sum, each) => sum + each.rejected, 0);
  expect(places.length).toBe(rejected);
  const state = await store.checksum();
  expect((await store.replay({ from: 'earliest' })).same).toBe(true);
  expect(await store.checksum()).toEqual(state);
}

/** Sends orders until it is told to stop, with a record that is none in each of its loads. */
function produceOn(store: FeatureStore, shop: Shop, perLoad: number) {
  let rows = 0;
  let isStopped = false;
  const running = (async () => {
    const log = await store.resources.log();
    await using producer = await store.producer(shop.source());
    while (!isStopped) {
      await producer.send(orders(perLoad, rows) as never, { strict: true });
      rows += perLoad;
      const partition = rows % 3;
      await log.append([{ topic: shop.topic, partition, key: null, value: Buffer.from('poison') }]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  running.catch(() => {}); // `stop` tells
  return {
    get rows() {
      return rows;
    },
    async stop(): Promise<number> {
      isStopped = true;
      await running;
      return rows;
    },
  };
}

describeKafka('a worker', () => {
  it(`that is killed ${KILLS} times, loses and doubles nothing (seed ${SEED})`, async () => {
    console.log(`seed ${SEED}`);
    const random = seededRandom(SEED);
    const shop = await shops.add();
    const config = await kafkaConfig(shop);
    await using store = await shop.open({ config });
    await store.apply();
    const load = produceOn(store, shop, 40);
    for (let kill = 0; kill < KILLS; kill++) {
      const worker = await startWorker(shop);
      // Now and then while it opens and recovers, else after some of its steps.
      const steps = random() < 0.2 ? 1 : 4 + Math.floor(random() * 30);
      await worker.until((all) => all.length >= steps);
      await new Promise((resolve) =>
        setTimeout(resolve, Math.floor(random() * (steps === 1 ? 400 : 15))),
      );
      expect(await worker.end('SIGKILL')).toBe('SIGKILL');
    }
    const rows = await load.stop();
    await runEngine(store);
    await expectEveryRowOnce(store, shop, rows);
  }, 600_000);

  it('that freezes for longer than its session changes nothing of what another took over', async () => {
    const shop = await shops.add();
    await using store = await shop.open({ config: await kafkaConfig(shop) });
    await store.apply();
    const load = produceOn(store, shop, 20);
    const [first, second] = ['first', 'second'].map((name) => join(shop.directory, name)) as [
      string,
      string,
    ];
    for (const directory of [first, second]) {
      await using applied = await shop.open({ config: await kafkaConfig(shop), directory });
      await applied.apply();
    }
    const zombie = await startWorker(shop, first);
    await zombie.until((steps) => zombie.partitions.length === 3 && steps.includes('batch'));
    zombie.freeze();
    const heir = await startWorker(shop, second);
    await heir.until((steps) => heir.partitions.length === 3 && steps.includes('segment'));
    const log = await store.resources.log();
    const tps = [0, 1, 2].map((partition) => ({ topic: shop.topic, partition }));
    const committed = () => log.committedOffsets(store.config.engine.group, tps);
    const before = await committed();
    zombie.thaw();
    // It is told that it was left behind, and comes again as a member like others.
    await zombie.until((steps) => steps.filter((step) => step.startsWith('revoked')).length === 3);
    await until(
      () => zombie.partitions.length > 0 && heir.partitions.length + zombie.partitions.length === 3,
    );
    expect([...zombie.partitions, ...heir.partitions].sort()).toEqual([0, 1, 2]);
    const after = await committed();
    for (const [i, offset] of after.entries())
      expect(offset ?? 0).toBeGreaterThanOrEqual(before[i] ?? 0);
    expect(await zombie.end('SIGTERM')).toBe('0');
    await heir.until(() => heir.partitions.length === 3);
    const rows = await load.stop();
    expect(await heir.end('SIGTERM')).toBe('0');
    await using inherited = await shop.open({ config: await kafkaConfig(shop), directory: second });
    await runEngine(inherited);
    const counts = await online(inherited, ['spending:order_count'], USERS);
    expect(counts['order_count']?.reduce((sum: number, n) => sum + Number(n), 0)).toBe(rows);
    expect((await inherited.replay({ from: 'earliest' })).same).toBe(true);
  });

  it('that was away while retention removed records says which, and goes on when it is told to', async () => {
    const shop = await shops.add();
    await using store = await shop.open();
    await store.apply();
    await produce(store, orders(70));
    await runEngine(store);
    const [before] = await store.status();
    const removed = before?.partitions.find(({ applied }) => applied > 0);
    const applied = removed?.applied ?? 0;
    const tp = { topic: shop.topic, partition: removed?.partition ?? 0 };
    await produce(store, orders(70, 70));
    const log = await store.resources.log();
    await log.deleteRecordsBefore(tp, applied + 5);
    const engine = await store.startEngine();
    const error = await failure(() => engine.finished);
    await failure(() => store.stopEngine());
    expect(error).toMatchObject({ code: 'OFFSET_GAP', where: tp });
    expect(error.message).toContain(`${applied} to ${applied + 4}`);

    const going = await store.startEngine({ skipGap: true });
    await going.caughtUp();
    await store.stopEngine();
    const [after] = await store.status();
    expect(after?.gaps).toMatchObject([
      { of: 'state', partition: tp.partition, fromOffset: applied, toOffset: applied + 5 },
      { of: 'history', partition: tp.partition, fromOffset: applied, toOffset: applied + 5 },
    ]);
    expect(after?.partitions.reduce((sum, p) => sum + p.rows, 0)).toBe(140 - 5);
    expect(after?.partitions.every((p) => p.applied === p.end)).toBe(true);
  });

  it('puts a thousand poison records among two hundred thousand aside, and loses no other', async () => {
    const shop = await shops.add();
    await using store = await shop.open();
    await store.apply();
    const log = await store.resources.log();
    await using producer = await store.producer(shop.source());
    const poison = ['', 'x', '\0\0\0', '\0\0\0\0\x01', '{"user":"a"}'].map((text) =>
      Buffer.from(text),
    );
    for (let load = 0; load < 100; load++) {
      await producer.send(orders(2_000, load * 2_000) as never, { strict: true });
      await log.append(
        Array.from({ length: 10 }, (_, i) => ({
          ...{ topic: shop.topic, partition: i % 3, key: null },
          value: i === 9 ? null : (poison[i % poison.length] as Buffer),
        })),
      );
    }
    await runEngine(store);
    expect(await letters(store)).toHaveLength(1_000);
    await expectEveryRowOnce(store, shop, 200_000);
  });
});

const { via } = inject('kafka');
const ownBroker = via === 'java' ? it : it.skip;
describeKafka('a broker of its own', () => {
  ownBroker(
    `that restarts under load costs a running engine nothing (broker by ${via})`,
    async () => {
      const broker: DevKafka = await startDevKafka();
      shops.onClose(() => broker.stop());
      const shop = await shops.add();
      await using store = await shop.open({
        config: { ...(await kafkaConfig(shop, [broker.broker])), ...SMALL },
      });
      await store.apply();
      using batches = events('batch');
      const engine = await store.startEngine();
      const load = produceOn(store, shop, 20);
      for (const how of ['restart', 'crashAndRestart'] as const) {
        await until(() => batches.all.length > 20);
        await broker[how]();
        batches.all.length = 0;
      }
      await until(() => batches.all.length > 20);
      const rows = await load.stop();
      await engine.caughtUp();
      await store.stopEngine();
      await expectEveryRowOnce(store, shop, rows);
    },
  );
});

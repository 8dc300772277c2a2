/** The Debezium configuration of `connectors/connect`, as it is shipped, on a real PostgreSQL. */
import { afterAll, describe, expect, it } from 'vitest';
import { toTimestampUs } from '../../../src/core/time.ts';
import { ConnectWorker, findConnect } from './connect-worker.ts';
import { customerDefinitions, joinedCustomers, onlineCustomers } from './customers.ts';
import { findPostgres, type Postgres, startPostgres } from './postgres.ts';
import { letters, recordsIn, runEngine, Shops } from './shop.ts';
import { describeKafka, until } from './support.ts';

const shops = new Shops();
afterAll(() => shops.close());

const IDS = [1, 2, 3, 103];

const debezium = await findConnect('io.debezium:debezium-connector-postgres:3.6.3.Final');
const programs = await findPostgres();
const noDebezium = 'reason' in debezium ? debezium.reason : programs === null && 'no PostgreSQL';
if ('reason' in debezium || programs === null) {
  describe.skip(`Debezium on PostgreSQL (${noDebezium})`, () => it('is not there', () => {}));
} else {
  describeKafka('Debezium on PostgreSQL', () => {
    it('brings a table, its changes and its deletes, and those made while the worker was away', async () => {
      const postgres = await startPostgres(programs);
      shops.onClose(() => postgres.stop());
      await postgres.run(
        `CREATE TABLE customers (customer_id bigint PRIMARY KEY, plan text NOT NULL,
           balance numeric(10, 2), signed_up timestamp(3) NOT NULL, seen timestamptz)`,
        `INSERT INTO customers SELECT i, 'free', i + 0.25, '2026-01-01 00:00:00.001',
           '2026-01-02T00:00:00.000001+02' FROM generate_series(1, 20) AS i`,
      );
      const shop = await shops.add();
      const topic = `${shop.project}-customers`;
      const store = await shop.open({ definitions: customerDefinitions(topic) });
      await store.apply();
      const env = { ...postgres.env, FRESHET_TOPIC: topic };
      const worker = new ConnectWorker(debezium, 'debezium-postgres.json', env);
      shops.onClose(() => worker.close());
      await worker.start();
      await until(async () => (await recordsIn(store, topic)) >= 20);

      const times = [await clockOf(postgres)];
      await postgres.run(
        `BEGIN; UPDATE customers SET plan = 'pro' WHERE customer_id = 1;
         UPDATE customers SET plan = 'team', balance = NULL WHERE customer_id = 1; COMMIT`,
        'UPDATE customers SET customer_id = 103 WHERE customer_id = 3',
      );
      await until(async () => (await recordsIn(store, topic)) >= 24);
      await worker.stop();
      times.push(await clockOf(postgres));
      await postgres.run('DELETE FROM customers WHERE customer_id = 2');
      await worker.start();
      await until(async () => (await recordsIn(store, topic)) >= 25);
      await worker.stop();
      times.push(await clockOf(postgres));

      await runEngine(store);
      expect(await recordsIn(store, topic)).toBe(25);
      expect(await letters(store)).toEqual([]);
      const kept = {
        signed_up: toTimestampUs('2026-01-01T00:00:00.001Z'),
        seen: toTimestampUs('2026-01-01T22:00:00.000001Z'),
      };
      const free = (id: number) => ({ plan: 'free', balance: id + 0.25, ...kept, writes: 1 });
      const gone = { plan: null, balance: null, signed_up: null, seen: null };
      const unknown = { ...gone, writes: null };
      const team = { plan: 'team', balance: null, ...kept, writes: 3 };
      const values = [
        { 1: free(1), 2: free(2), 3: free(3), 103: unknown },
        { 1: team, 2: free(2), 3: { ...gone, writes: 1 }, 103: free(3) },
        { 1: team, 2: { ...gone, writes: 1 }, 3: { ...gone, writes: 1 }, 103: free(3) },
      ];
      expect(await onlineCustomers(store, IDS)).toEqual(values[2]);
      expect(await joinedCustomers(store, IDS, times)).toEqual(values);
      expect(await store.verify()).toMatchObject({ same: true });
    });
  });
}

/** The time of the database, later than all that it has done. */
async function clockOf(postgres: Postgres): Promise<string> {
  return (await postgres.run("SELECT now() AT TIME ZONE 'UTC'")).trim();
}

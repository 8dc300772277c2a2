/** The file source of `connectors/connect`, as it is shipped, on a real worker of Connect. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TopicSource } from '../../../src/index.ts';
import { ConnectWorker, findConnect } from './connect-worker.ts';
import { letters, online, order, recordsIn, runEngine, Shops } from './shop.ts';
import { describeKafka, until } from './support.ts';

const shops = new Shops();
afterAll(() => shops.close());

const connect = await findConnect();
if ('reason' in connect) {
  describe.skip(`a file source (${connect.reason})`, () => it('is not there', () => {}));
} else {
  describeKafka('a file source', () => {
    it('sends each line of a file once, over a stop of the worker, and the engine reads them', async () => {
      const shop = await shops.add();
      const streamSource = { ...shop.source(), format: 'json', keyFields: [] } as TopicSource;
      const definitions = shop.definitions().map((view) => ({ ...view, streamSource }) as never);
      const store = await shop.open({ definitions });
      await store.apply();

      const file = join(shop.directory, 'orders.ndjson');
      await writeFile(file, lines(0, 500));
      const env = { FRESHET_FILE: file, FRESHET_TOPIC: shop.topic };
      const worker = new ConnectWorker(connect, 'file-source.json', env);
      shops.onClose(() => worker.close());
      await worker.start();
      await until(async () => (await recordsIn(store, shop.topic)) >= 500);
      await worker.stop();
      await appendFile(file, `${lines(500, 700)}no order\n`);
      await worker.start();
      await until(async () => (await recordsIn(store, shop.topic)) >= 701);
      await worker.stop();

      await runEngine(store);
      expect(await recordsIn(store, shop.topic)).toBe(701);
      expect(await letters(store)).toMatchObject([{ code: 'ROW_UNDECODABLE' }]);
      const users = Array.from({ length: 7 }, (_, i) => `user-${i}`);
      expect(await online(store, ['last_order:amount', 'spending:order_count'], users)).toEqual({
        amount: users.map((_, i) => 693 + i),
        order_count: users.map(() => 100),
      });
      expect(await store.verify()).toMatchObject({ same: true });
    });
  });
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `${JSON.stringify(order(from + i))}\n`).join(
    '',
  );
}

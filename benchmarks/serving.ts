/**
 * Online reads: the embedded client, with the bare `getMany` of the same keys beside it in the same
 * run, hot and cold, for 1, 10 and 100 entities, of newest rows and of windows of seven days; then
 * the feature server, for 10 and 50 features of 1 and of 100 entities.
 *
 *     npx tsx benchmarks/serving.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../src/index.ts';
import type { KvStore } from '../src/kv/index.ts';
import { createFeatureServer } from '../src/server/index.ts';

const USERS = 100_000;
const COLUMNS = Array.from({ length: 50 }, (_, i) => `c${i}`);
const READS = 2_000;
/** Reads of keys that were not read before: no two have a key in common. */
const COLD_READS = 800;
const HTTP_REQUESTS = 2_000;
const HTTP_CONNECTIONS = 16;
const START_MS = Date.parse('2026-01-01T00:00:00Z');

const user = entity({ name: 'user', joinKeys: { user_id: 'int64' } });
const events = topicSource({
  name: 'events',
  topic: 'events',
  schema: {
    at: 'timestamp',
    user_id: 'int64',
    ...Object.fromEntries(COLUMNS.map((name) => [name, 'float64' as const])),
  } as { at: 'timestamp'; user_id: 'int64'; c0: 'float64' },
  timestampField: 'at',
  keyFields: ['user_id'],
});
const rows = featureView({
  name: 'rows',
  entities: [user],
  source: events,
  schema: Object.fromEntries(COLUMNS.map((name) => [name, 'float64' as const])),
});
const windows = windowedFeatureView({
  name: 'windows',
  entities: [user],
  source: events,
  aggregations: [
    { function: 'count', window: sliding('7d'), name: 'count_7d' },
    { column: 'c0', function: 'mean', window: sliding('7d'), name: 'mean_7d' },
  ],
});
const FEATURES: Readonly<Record<string, readonly string[]>> = {
  rows: ['rows:c0', 'rows:c1', 'rows:c2'],
  windows: ['windows:count_7d', 'windows:mean_7d'],
};

const directory = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
const store = await openFeatureStore({
  directory,
  definitions: [user, events, rows, windows],
  config: { project: 'bench' },
});
try {
  await fill(store);
  await embedded(store);
  await http(store);
} finally {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}

/** Three rows a user, days apart. */
async function fill(opened: FeatureStore): Promise<void> {
  await opened.apply();
  const producer = await opened.producer(events);
  for (let day = 0; day < 3; day++) {
    for (let from = 0; from < USERS; from += 1_000) {
      const batch = Array.from({ length: 1_000 }, (_, i) => ({
        at: new Date(START_MS + day * 86_400_000 + from),
        user_id: BigInt(from + i),
        ...Object.fromEntries(COLUMNS.map((name, c) => [name, from + i + c / 64])),
      }));
      await producer.send(batch as never);
    }
  }
  await producer.close();
  const engine = await opened.startEngine();
  await engine.caughtUp();
  await opened.stopEngine();
}

async function embedded(opened: FeatureStore): Promise<void> {
  const { kv } = await opened.resources.state();
  const asOf = new Date(START_MS + 3 * 86_400_000);
  console.log('embedded client, microseconds: p50 p99; bare is getMany of the same keys');
  for (const [view, features] of Object.entries(FEATURES)) {
    for (const count of [1, 10, 100]) {
      const read = (first: number) => async (): Promise<void> => {
        const entityRows = Array.from({ length: count }, (_, i) => ({
          user_id: BigInt((first + i) % USERS),
        }));
        await opened.getOnlineFeatures({ features, entityRows, asOf });
      };
      const keysOf = async (first: number): Promise<Uint8Array[]> => {
        const seen = watchKeys(kv);
        await read(first)();
        return seen.end();
      };
      const warm = await keysOf(7);
      const hot = await measure(READS, () => read(7));
      const bareHot = await measure(READS, () => async () => void (await kv.getMany(warm)));
      // Half of the users for ours, the other half for bare: neither has seen the other's blocks.
      const cold = await measure(COLD_READS, (i) => read((i * count * 61) % (USERS / 2)));
      const sets: Uint8Array[][] = [];
      for (let i = 0; i < COLD_READS; i++) {
        sets.push(
          warm.map((key, k) => shifted(key, USERS / 2 + ((i * count * 61 + k) % (USERS / 2)))),
        );
      }
      const bareCold = await measure(COLD_READS, (i) => async () => {
        await kv.getMany(sets[i] as Uint8Array[]);
      });
      const cells = [hot, bareHot, cold, bareCold].map(([p50, p99]) => `${p50} ${p99}`.padEnd(10));
      console.log(
        `  ${view.padEnd(8)} ${String(count).padStart(3)} keys  hot ${cells[0]} bare ${cells[1]}  ` +
          `cold ${cells[2]} bare ${cells[3]}  cold/bare ${((cold[0] as number) / (bareCold[0] as number)).toFixed(2)}`,
      );
    }
  }
}

/** The key of another user: int64 join keys are the last eight bytes. */
function shifted(key: Uint8Array, userId: number): Uint8Array {
  const bytes = Buffer.from(key);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(userId)) ^ (1n << 63n), bytes.length - 8);
  return bytes;
}

function watchKeys(kv: KvStore): { end(): Uint8Array[] } {
  const keys: Uint8Array[] = [];
  const getMany = kv.getMany;
  kv.getMany = (asked) => {
    keys.push(...asked);
    return getMany.call(kv, asked);
  };
  return {
    end: () => {
      kv.getMany = getMany;
      return keys;
    },
  };
}

async function measure(
  count: number,
  makeRead: (i: number) => () => Promise<void>,
): Promise<[p50: number, p99: number]> {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const read = makeRead(i);
    const began = performance.now();
    await read();
    times[i] = (performance.now() - began) * 1_000;
  }
  times.sort();
  return [0.5, 0.99].map((part) => Math.round(times[Math.floor(count * part)] as number)) as [
    number,
    number,
  ];
}

async function http(opened: FeatureStore): Promise<void> {
  await using server = await createFeatureServer({
    store: opened,
    version: 'bench',
    config: { port: 0, anonymous: 'read', requestsPerMinuteMax: null },
  });
  console.log(`feature server, ${HTTP_CONNECTIONS} connections, client in the same process`);
  for (const features of [10, 50]) {
    for (const count of [1, 100]) {
      const request = (i: number): Promise<Response> =>
        fetch(`${server.url}/get-online-features`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            features: COLUMNS.slice(0, features).map((name) => `rows:${name}`),
            entities: { user_id: Array.from({ length: count }, (_, k) => (i * count + k) % USERS) },
          }),
        });
      const total = count === 1 ? HTTP_REQUESTS : HTTP_REQUESTS / 10;
      const began = performance.now();
      let next = 0;
      await Promise.all(
        Array.from({ length: HTTP_CONNECTIONS }, async () => {
          while (next < total) {
            const response = await request(next++);
            if (!response.ok) throw new Error(await response.text());
            await response.arrayBuffer();
          }
        }),
      );
      const perSecond = Math.round((total * 1_000) / (performance.now() - began));
      console.log(
        `  ${features} features, ${String(count).padStart(3)} entities: ${perSecond.toLocaleString('en-US')} requests/s`,
      );
    }
  }
}

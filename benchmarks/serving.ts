/**
 * Online reads: the embedded client, in turns with the bare `getMany` of the same keys, hot and cold, for 1, 10 and 100 entities, of newest rows and of windows of seven days; then
 * the feature server, for 10 and 50 features of 1 and of 100 entities.
 *
 *     npx tsx benchmarks/serving.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
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
import { type Latency, takeTurns } from './take-turns.ts';

const USERS = 100_000;
const COLUMNS = Array.from({ length: 50 }, (_, i) => `c${i}`);
const COUNTS = [1, 10, 100];
const READS = 5_000;
const WARM_UP = 5_000;
/** Reads of other entities each. */
const COLD_READS = 2_000;
const COLD_WARM_UP = 3_000;
const HTTP_REQUESTS = 8_000;
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
const ASOF = new Date(START_MS + 3 * 86_400_000);

try {
  await withStore(true, fill);
  console.log('embedded client, microseconds: p50 p99; bare is getMany of the same keys');
  const keys = await withStore(false, cold);
  await withStore(true, (store) => hot(store, keys));
  await withStore(true, http);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function withStore<T>(
  isCached: boolean,
  use: (store: FeatureStore) => Promise<T>,
): Promise<T> {
  const onlineStore = isCached ? {} : { cacheBytesMax: 0 };
  const config = { project: 'bench', onlineStore };
  const store = await openFeatureStore({
    directory,
    definitions: [user, events, rows, windows],
    config,
  });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
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

/** Every read from the store: without the cache, other entities each time. Answers with some keys. */
async function cold(opened: FeatureStore): Promise<Map<string, Uint8Array[]>> {
  const { kv } = await opened.resources.state();
  const keys = new Map<string, Uint8Array[]>();
  for (const [view, features] of Object.entries(FEATURES)) {
    for (const count of COUNTS) {
      const requests = Array.from({ length: COLD_READS }, (_, i) => ({
        features,
        entityRows: entityRows((i * count * 61) % USERS, count),
        asOf: ASOF,
      }));
      const sets: Uint8Array[][] = [];
      for (const request of requests) {
        const seen = watchKeys(kv);
        await opened.getOnlineFeatures(request);
        sets.push(seen.end());
      }
      keys.set(`${view} ${count}`, sets[0] as Uint8Array[]);
      const warmUp = COLD_WARM_UP / Math.sqrt(count);
      const read = (i: number) =>
        opened.getOnlineFeatures(requests[i % COLD_READS] as (typeof requests)[0]);
      // Other entities than ours, so that neither finds what the other has just read.
      const half = COLD_READS / 2;
      const bareRead = (i: number) => kv.getMany(sets[(i + half) % COLD_READS] as Uint8Array[]);
      const { ours, bare } = await takeTurns(COLD_READS, warmUp, read, bareRead);
      report(`cold ${view}`, count, ours, bare);
    }
  }
  return keys;
}

/**
 * The same entities again and again, from the cache: in turns with the bare read, which takes the
 * processor's caches and wakes a thread, and alone, as where all that is asked for is in the cache.
 */
async function hot(opened: FeatureStore, keys: ReadonlyMap<string, Uint8Array[]>): Promise<void> {
  const { kv } = await opened.resources.state();
  for (const [view, features] of Object.entries(FEATURES)) {
    for (const count of COUNTS) {
      const request = { features, entityRows: entityRows(0, count), asOf: ASOF };
      const some = keys.get(`${view} ${count}`) as Uint8Array[];
      const read = () => opened.getOnlineFeatures(request);
      const { ours, bare } = await takeTurns(READS, WARM_UP, read, () => kv.getMany(some));
      report(`hot  ${view}`, count, ours, bare);
      const alone = await takeTurns(READS, WARM_UP, read, () => Promise.resolve());
      console.log(
        `${' '.repeat(32)}alone ${alone.ours.p50.toFixed(1)} ${alone.ours.p99.toFixed(1)}`,
      );
    }
  }
}

function report(what: string, count: number, ours: Latency, bare: Latency): void {
  const cells = [ours, bare].map(({ p50, p99 }) =>
    `${p50.toFixed(1)} ${p99.toFixed(1)}`.padStart(11),
  );
  const ratio = (ours.p50 / bare.p50).toFixed(2);
  console.log(
    `  ${what.padEnd(13)} ${String(count).padStart(3)} entities  ${cells[0]}  bare ${cells[1]}  ${ratio} of bare`,
  );
}

function entityRows(first: number, count: number): { user_id: bigint }[] {
  return Array.from({ length: count }, (_, i) => ({ user_id: BigInt((first + i) % USERS) }));
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

/** Not `fetch`, which takes longer than the server does. */
function post(agent: Agent, url: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`));
      response.on('error', reject).on('end', resolve).resume();
    });
    sent.on('error', reject).end(body);
  });
}

async function http(opened: FeatureStore): Promise<void> {
  await using server = await createFeatureServer({
    store: opened,
    version: 'bench',
    config: { port: 0, anonymous: 'read', requestsPerMinuteMax: null },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: HTTP_CONNECTIONS });
  console.log(`feature server, ${HTTP_CONNECTIONS} connections, client in the same process`);
  for (const features of [10, 50]) {
    for (const count of [1, 100]) {
      const body = (i: number): string =>
        JSON.stringify({
          features: COLUMNS.slice(0, features).map((name) => `rows:${name}`),
          entities: { user_id: Array.from({ length: count }, (_, k) => (i * count + k) % USERS) },
        });
      const total = count === 1 ? HTTP_REQUESTS : HTTP_REQUESTS / 10;
      const began = performance.now();
      let next = 0;
      await Promise.all(
        Array.from({ length: HTTP_CONNECTIONS }, async () => {
          while (next < total) await post(agent, `${server.url}/get-online-features`, body(next++));
        }),
      );
      const perSecond = Math.round((total * 1_000) / (performance.now() - began));
      console.log(
        `  ${features} features, ${String(count).padStart(3)} entities: ${perSecond.toLocaleString('en-US')} requests/s`,
      );
    }
  }
}

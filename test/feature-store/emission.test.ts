import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partitionForKey } from '../../src/core/murmur2.ts';
import {
  entity,
  type FeatureStore,
  hopping,
  openFeatureStore,
  session,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/index.ts';

const shop = entity({ name: 'shop', joinKeys: { shop: 'string' } });
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  format: 'json',
  schema: { at: 'timestamp', shop: 'string', items: 'int32' },
  timestampField: 'at',
  keyFields: ['shop'],
  partitions: 2,
});
const START_MS = Date.parse('2026-03-01T00:00:00Z');
const GRACE_MS = 5 * 60_000;
const GAP_MS = 90_000;

interface Sale {
  readonly atMs: number;
  readonly shop: string;
  readonly items: number;
}

interface Sent {
  readonly shop: string;
  readonly window: string;
  readonly window_start: string;
  readonly window_end: string;
  readonly event_timestamp: string;
  readonly available_at: string;
  readonly final: boolean;
  readonly sales_10m?: number;
  readonly items_10m?: number;
  readonly items_30m?: number;
  readonly sales_visit?: number;
}

const viewOf = (mode: 'final' | 'updates') =>
  windowedFeatureView({
    name: 'shop_sales',
    entities: [shop],
    source: sales,
    grace: '5m',
    emit: { topic: 'shop-windows', mode },
    aggregations: [
      { function: 'count', window: tumbling('10m'), name: 'sales_10m' },
      { column: 'items', function: 'sum', window: tumbling('10m'), name: 'items_10m' },
      { column: 'items', function: 'max', window: hopping('30m', '10m'), name: 'items_30m' },
      { function: 'count', window: session('90s'), name: 'sales_visit' },
    ],
  });

describe('results of windows', () => {
  let directory: string;
  let store: FeatureStore;
  const sold: Sale[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-emit-'));
    sold.length = 0;
  });

  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('are sent once each when their window is closed, over stops and starts', async () => {
    store = await open('final');
    for (const [from, count] of [
      [0, 90],
      [90, 1],
      [91, 200],
      [291, 40],
    ] as const) {
      await produce(from, count);
      await runEngine();
      await store.close();
      store = await open('final');
    }
    const sent = await read();
    expect(sent.every((result) => result.final)).toBe(true);
    expect(sortedTexts(sent)).toEqual(sortedTexts(expected()));
    await store.replay({ from: 'earliest' });
    expect(await read()).toHaveLength(sent.length);
  });

  it('are sent with every change, too, when updates are asked for', async () => {
    store = await open('updates');
    await produce(0, 60);
    await runEngine();
    const first = await read();
    expect(first.some((result) => !result.final)).toBe(true);
    await produce(60, 200);
    await runEngine();
    const finals = (await read()).filter((result) => result.final);
    expect(sortedTexts(finals)).toEqual(sortedTexts(expected()));
    const [result] = finals;
    expect(result?.event_timestamp).toBe(result?.window_end);
  });

  it('need a window that closes', () => {
    expect(() =>
      windowedFeatureView({
        name: 'shop_sales',
        entities: [shop],
        source: sales,
        emit: { topic: 'out', mode: 'final' },
        aggregations: [{ function: 'count', window: { kind: 'lifetime', label: 'all' } as never }],
      }),
    ).toThrow(/no other is closed/);
  });

  async function open(mode: 'final' | 'updates'): Promise<FeatureStore> {
    const definitions = [shop, sales, viewOf(mode)];
    const opened = await openFeatureStore({ directory, definitions, config: { project: 'emit' } });
    await opened.apply();
    return opened;
  }

  async function runEngine(): Promise<void> {
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }

  async function produce(from: number, count: number): Promise<void> {
    await using producer = await store.producer(sales);
    const rows = Array.from({ length: count }, (_, k): Sale => {
      const i = from + k;
      const backMs = i % 17 === 0 ? 11 * 60_000 : (i % 4) * 70_000;
      return {
        atMs: START_MS + i * 23_000 - backMs,
        shop: `s${(i * 7) % 5}`,
        items: (i * 31) % 13,
      };
    });
    sold.push(...rows);
    await producer.send(rows.map(({ atMs, ...row }) => ({ at: new Date(atMs), ...row })));
  }

  async function read(): Promise<Sent[]> {
    const log = await store.resources.log();
    const tps = [0, 1].map((partition) => ({ topic: 'shop-windows', partition }));
    const ends = await log.watermarks(tps);
    const sent: Sent[] = [];
    for (const { end, ...tp } of ends) {
      await using reader = await log.assign([{ ...tp, offset: 0 }]);
      for (let next = 0; next < end; ) {
        for (const batch of await reader.poll({ waitMs: 1_000 })) {
          for (const value of batch.values) sent.push(JSON.parse(String(value)));
          next = batch.nextOffset;
        }
      }
    }
    return sent;
  }

  /** The obvious answer: every closed window of every shop, from the rows that came before it closed. */
  function expected(): Sent[] {
    const partitions = new Map<string, Sale[]>();
    const placed = placement();
    for (const sale of sold) {
      const partition = placed.get(sale.shop) as string;
      partitions.set(partition, [...(partitions.get(partition) ?? []), sale]);
    }
    const results: Sent[] = [];
    for (const rows of partitions.values()) {
      let streamMs = Number.NEGATIVE_INFINITY;
      const streamAt = rows.map(({ atMs }) => {
        streamMs = Math.max(streamMs, atMs);
        return streamMs;
      });
      const closedMs = streamMs - GRACE_MS;
      for (const [window, sizeMs] of [
        ['tumbling_10m', 600_000],
        ['hopping_30m_10m', 1_800_000],
      ] as const) {
        const firstMs = START_MS - 2 * 3_600_000;
        for (let startMs = firstMs; startMs + sizeMs <= closedMs; startMs += 600_000) {
          const endMs = startMs + sizeMs;
          for (const name of new Set(rows.map((row) => row.shop))) {
            const inside = rows.filter(
              (row, i) =>
                row.shop === name &&
                row.atMs >= startMs &&
                row.atMs < endMs &&
                endMs > (streamAt[i] as number) - GRACE_MS,
            );
            if (inside.length === 0) continue;
            const items = inside.map((row) => row.items);
            results.push({
              shop: name,
              window,
              window_start: new Date(startMs).toISOString(),
              window_end: new Date(endMs).toISOString(),
              event_timestamp: new Date(endMs).toISOString(),
              available_at: new Date(endMs + GRACE_MS).toISOString(),
              final: true,
              ...(sizeMs === 600_000
                ? { sales_10m: items.length, items_10m: items.reduce((a, b) => a + b, 0) }
                : { items_30m: Math.max(...items) }),
            });
          }
        }
      }
      const counting = rows.filter(
        (row, i) => row.atMs + GAP_MS >= (streamAt[i] as number) - GRACE_MS,
      );
      results.push(...expectedSessions(counting, closedMs));
    }
    return results;
  }

  /** Shops by the partition that their keys lead to. */
  function placement(): Map<string, string> {
    return new Map(
      [...new Set(sold.map((sale) => sale.shop))].map((name) => [name, partitionOf(name)]),
    );
  }
});

/** The final sessions of each shop, from the rows that count. */
function expectedSessions(rows: readonly Sale[], closedMs: number): Sent[] {
  return [...new Set(rows.map((row) => row.shop))].flatMap((name) => {
    const times = rows.filter((row) => row.shop === name).map((row) => row.atMs);
    const sessions: number[][] = [];
    for (const atMs of times.sort((a, b) => a - b)) {
      const last = sessions.at(-1);
      if (last !== undefined && atMs - last.at(-1)! <= GAP_MS) last.push(atMs);
      else sessions.push([atMs]);
    }
    return sessions
      .filter((session) => session.at(-1)! + 2 * GAP_MS < closedMs)
      .map((session): Sent => {
        const end = new Date(session.at(-1)!).toISOString();
        return {
          shop: name,
          window: 'session_90s',
          window_start: new Date(session[0]!).toISOString(),
          window_end: end,
          event_timestamp: end,
          available_at: new Date(session.at(-1)! + 2 * GAP_MS + GRACE_MS).toISOString(),
          final: true,
          sales_visit: session.length,
        };
      });
  });
}

function partitionOf(name: string): string {
  return String(partitionForKey(Buffer.from(name), 2));
}

function sortedTexts(results: readonly Sent[]): string[] {
  return results.map((result) => JSON.stringify(result)).sort();
}

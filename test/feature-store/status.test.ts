import { describe, expect, it, vi } from 'vitest';
import { SPACE } from '../../src/state/index.ts';
import { orders, produce, runEngine, useShop } from './support.ts';

const newShop = useShop();
const NOTHING = {
  topic: 'orders',
  applied: 0,
  sealed: 0,
  end: 0,
  lagRecords: 0,
  streamTimeUs: null,
  rows: 0,
  rejected: 0,
  late: {},
  idle: false,
  retryAtMs: null,
};

describe('the status of a source', () => {
  it('is nothing before there is a log or a store', async () => {
    const [status, ...others] = await (await newShop().open()).status();
    expect(others).toEqual([]);
    expect(status).toEqual({
      source: 'orders',
      topic: 'orders',
      partitions: [0, 1].map((partition) => ({ ...NOTHING, partition })),
      segments: { files: 0, rows: 0, bytes: 0 },
      gaps: [],
    });
  });

  it('has the lag of what was not read yet, and of what was read its counts and its time', async () => {
    const store = await newShop().open();
    await store.apply();
    await produce(store, [
      ['a', '2025-01-02T00:00:00Z', 1],
      ['a', '2025-01-03T00:00:00Z', 2],
      ['a', '2025-01-01T00:00:00Z', 3],
    ]);
    const log = await store.resources.log();
    const total = async (name: 'lagRecords' | 'rows' | 'rejected'): Promise<number> => {
      const [status] = await store.status();
      return status?.partitions.reduce((sum, partition) => sum + partition[name], 0) ?? 0;
    };
    expect([await total('lagRecords'), await total('rows')]).toEqual([3, 0]);
    await log.append([{ topic: orders.topic, partition: 0, key: null, value: Buffer.from('{') }]);
    await runEngine(store);
    expect(await total('lagRecords')).toBe(0);
    expect([await total('rows'), await total('rejected')]).toEqual([3, 1]);
    const [status] = await store.status();
    const busy = status?.partitions.find(({ rows }) => rows > 0);
    expect(busy).toMatchObject({
      streamTimeUs: Date.parse('2025-01-03T00:00:00Z') * 1_000,
      late: { live: 1 },
    });
    expect(status?.segments).toMatchObject({ rows: 3 });
    expect(status?.segments.bytes).toBeGreaterThan(0);
  });

  it('lists segments anew only after one was published', async () => {
    const store = await newShop().open();
    await store.apply();
    const runOnce = async (at: string): Promise<void> => {
      await produce(store, [['a', at, 1]]);
      await runEngine(store);
    };
    await runOnce('2025-01-02T00:00:00Z');
    const { kv } = await store.resources.state();
    const scan = vi.spyOn(kv, 'scan');
    const poll = async (): Promise<{ rows: number | undefined; lists: number }> => {
      scan.mockClear();
      const [status] = await store.status();
      const lists = scan.mock.calls.filter(([range]) => range.gte?.[4] === SPACE.segment);
      return { rows: status?.segments.rows, lists: lists.length };
    };
    await poll();
    expect(await poll()).toEqual({ rows: 1, lists: 0 });
    await runOnce('2025-01-03T00:00:00Z');
    expect(await poll()).toEqual({ rows: 2, lists: 1 });
    expect(await poll()).toEqual({ rows: 2, lists: 0 });
  });

  it('is that of the running engine where there is one', async () => {
    const store = await newShop().open();
    await store.apply();
    await produce(store, [['a', '2025-01-02T00:00:00Z', 1]]);
    const engine = await store.startEngine();
    await engine.caughtUp();
    const [status] = await store.status();
    expect(status?.partitions).toEqual(
      [...engine.status()].sort((a, b) => a.partition - b.partition),
    );
  });
});

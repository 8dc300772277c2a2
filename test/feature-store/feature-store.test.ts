import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { featureView } from '../../src/definition/index.ts';
import {
  amounts,
  failure,
  history,
  live,
  orders,
  past,
  produce,
  runEngine,
  SHOP,
  user,
  useShop,
  writeHistory,
} from './support.ts';

const newShop = useShop();
const YEAR = { startTime: '2025-01-01T00:00:00Z', endTime: '2025-12-31T00:00:00Z' };

describe('a feature store that is opened', () => {
  it('opens and locks nothing by that, nor by being asked', async () => {
    const shop = newShop();
    const store = await shop.open();
    expect(readdirSync(shop.directory)).toEqual([]);
    expect((await store.plan()).map(({ transition }) => transition)).not.toContain('UPDATE');
    expect((await store.registry()).revision).toBe(0);
    expect(await amounts(store, ['a'])).toEqual([undefined]);
    expect(await store.materializationIntervals('past')).toEqual([]);
    expect(await store.checksum()).toEqual({});
    expect(await store.status()).toHaveLength(1);
    for await (const letter of store.deadLetters.list()) expect(letter).toBe('none');
    for (const place of ['online', 'log', 'registry.json']) {
      expect(existsSync(join(shop.directory, 'data', place)), place).toBe(false);
    }
  });

  it('sees what it writes itself after it was first asked', async () => {
    const shop = newShop();
    await writeHistory(shop, [['a', '2025-01-02T00:00:00Z', 1]]);
    const store = await shop.open();
    await store.apply();
    expect(await amounts(store, ['a'])).toEqual([undefined]);
    await store.materialize(YEAR);
    expect(await amounts(store, ['a'])).toEqual([1]);
    await store.close();
    const again = await shop.open();
    expect(await amounts(again, ['a'])).toEqual([1]);
    await again.writeToOnlineStore('past', [{ user: 'a', at: '2025-01-03T00:00:00Z', amount: 2 }]);
    expect(await amounts(again, ['a'])).toEqual([2]);
  });

  it('reads beside the engine of another process, which it cannot start twice', async () => {
    const shop = newShop();
    const store = await shop.open();
    await store.apply();
    await produce(store, [['a', '2025-01-02T00:00:00Z', 7]]);
    await store.close();
    const program = fileURLToPath(new URL('./engine-process.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', program, shop.directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
      expect(child.exitCode).toBeNull();
      const reader = await shop.open();
      expect(await amounts(reader, ['a', 'b'], 'live')).toEqual([7, undefined]);
      const [status] = await reader.status();
      expect(status?.partitions.map(({ rows }) => rows).reduce((a, b) => a + b)).toBe(1);
      expect(await reader.plan()).not.toContainEqual(
        expect.objectContaining({ transition: 'CREATE' }),
      );
      expect((await failure(() => reader.startEngine())).code).toMatch(/_LOCKED$/);
      expect((await failure(() => reader.replay({ from: 'earliest' }))).code).toMatch(/_LOCKED$/);
      expect(await amounts(reader, ['a'], 'live')).toEqual([7]);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const next = await shop.open();
    await runEngine(next);
    expect(await amounts(next, ['a'], 'live')).toEqual([7]);
  });
});

describe('a feature store that is closed', () => {
  it.each([
    ['its own state', true],
    ['that of another process', false],
  ])('has ended the reads of %s that were under way', async (_, isOwn) => {
    const shop = newShop();
    const writer = await shop.open();
    await writer.apply();
    await produce(writer, [['a', '2025-01-02T00:00:00Z', 7]]);
    await runEngine(writer);
    if (!isOwn) await writer.close();
    const store = isOwn ? writer : await shop.open();
    const read = async () => {
      const answer = await store.getOnlineFeatures({
        features: ['live:amount'],
        entityRows: [{ user: 'a' }],
        includeReceipt: true,
      });
      return answer.rows[0]?.['amount'];
    };
    const reads = [read(), read(), store.status().then(([status]) => status?.segments.rows)];
    const closing = store.close();
    const late = failure(read);
    expect(await Promise.all(reads)).toEqual([7n, 7n, 1]);
    expect((await late).code).toBe('STORE_CLOSED');
    await closing;
  });

  it('refuses everything that needs what was open, and may be closed again', async () => {
    const shop = newShop();
    await writeHistory(shop, [['a', '2025-01-02T00:00:00Z', 1]]);
    const store = await shop.open();
    await store.apply();
    await store.materialize(YEAR);
    await store.close();
    await store.close();
    const calls: (() => unknown)[] = [
      () => amounts(store, ['a']),
      () => store.getHistoricalFeatures({ features: ['past:amount'], entityRows: [] }),
      () => store.materialize(YEAR),
      () => store.startEngine(),
      () => store.status(),
      () => store.checksum(),
      () => store.push('orders', []),
      () => store.writeToOnlineStore('past', []),
      () => store.deadLetters.retry(),
      () => store.replay({ from: 'earliest' }),
    ];
    for (const call of calls) {
      expect((await failure(call)).code, call.toString()).toBe('STORE_CLOSED');
    }
  });

  it('has stopped its engine', async () => {
    const shop = newShop();
    const store = await shop.open();
    await store.apply();
    await store.startEngine();
    await store.close();
    const next = await shop.open();
    await runEngine(next);
  });
});

describe('the engine of a feature store', () => {
  it('needs what is defined to be applied', async () => {
    const store = await newShop().open();
    const error = await failure(() => store.startEngine());
    expect(error).toMatchObject({
      code: 'DEFINITIONS_NOT_APPLIED',
      message: expect.stringContaining('CREATE featureView "live"'),
    });
  });

  it('needs a view that reads a topic', async () => {
    const store = await newShop().open({ definitions: [past] });
    await store.apply();
    expect((await failure(() => store.startEngine())).message).toContain('no enabled view');
  });

  it('runs once', async () => {
    const store = await newShop().open();
    await store.apply();
    await store.startEngine();
    expect((await failure(() => store.startEngine())).code).toBe('INVALID_ARGUMENT');
    await store.stopEngine();
    await store.startEngine();
  });

  it('keeps others from deleting the rows it writes', async () => {
    const store = await newShop().open();
    await store.apply();
    await store.startEngine();
    for (const call of [
      () => store.deleteFeatureView('live'),
      () => store.replay({ from: 'earliest' }),
      () => store.teardown(),
    ]) {
      expect(await failure(call)).toMatchObject({
        code: 'INVALID_ARGUMENT',
        next: 'Stop the engine first.',
      });
    }
    expect((await store.registry()).views).toHaveProperty('live');
  });
});

describe('the states of views', () => {
  it('follow what fills them, and stay when definitions are applied again', async () => {
    const shop = newShop();
    const store = await shop.open();
    const states = async (): Promise<unknown> => (await store.registry()).views;
    await store.apply();
    expect(await states()).toEqual({ live: 'GENERATED', past: 'GENERATED' });
    expect((await failure(() => store.materialize(YEAR))).code).toBe('PARQUET_INVALID');
    expect(await states()).toEqual({ live: 'GENERATED', past: 'GENERATED' });
    await writeHistory(shop, [['a', '2025-01-02T00:00:00Z', 1]]);
    const seen: unknown[] = [];
    await store.materialize({ ...YEAR, onProgress: () => seen.push(states()) });
    expect(await seen[0]).toEqual({ live: 'GENERATED', past: 'MATERIALIZING' });
    await store.startEngine();
    const served = { live: 'AVAILABLE_ONLINE', past: 'AVAILABLE_ONLINE' };
    expect(await states()).toEqual(served);
    await store.apply();
    expect(await states()).toEqual(served);
    await store.stopEngine();
    expect(await states()).toEqual(served);
  });
});

describe('pushing rows', () => {
  it('to a topic source sends them to its topic', async () => {
    const store = await newShop().open();
    await store.apply();
    await store.push('orders', [{ user: 'a', at: '2025-01-02T00:00:00Z', amount: 1 }]);
    await runEngine(store);
    expect(await amounts(store, ['a'], 'live')).toEqual([1]);
  });

  it('to a batch source writes them to the online store of its views', async () => {
    const other = featureView({
      name: 'other',
      entities: [user],
      source: history,
      schema: { amount: 'int64' },
    });
    const offline = featureView({
      name: 'offline',
      entities: [user],
      source: history,
      schema: { amount: 'int64' },
      online: false,
    });
    const store = await newShop().open({ definitions: [past, other, offline] });
    await store.apply();
    await store.push('history', [{ user: 'a', at: '2025-01-02T00:00:00Z', amount: 1 }]);
    expect(Object.keys(await store.checksum()).sort()).toEqual(['other', 'past']);
  });

  it('sends none when one is wrong, to whatever view', async () => {
    const byAmount = featureView({
      name: 'everyone',
      source: history,
      schema: { amount: 'int64' },
    });
    const store = await newShop().open({ definitions: [byAmount, past, live] });
    await store.apply();
    const rows = [
      { user: 'a', at: '2025-01-02T00:00:00Z', amount: 1 },
      { at: '2025-01-02T00:00:00Z', amount: 1 },
    ];
    expect(await failure(() => store.push('history', rows))).toMatchObject({
      code: 'ROW_KEY_NULL',
      where: { view: 'past', row: 1 },
    });
    expect(Object.values(await store.checksum()).filter((c) => c.rows > 0)).toEqual([]);
    const bad = [rows[0], { user: 'b', at: 'never', amount: 1 }] as never;
    await failure(() => store.push('orders', bad));
    await runEngine(store);
    expect(await amounts(store, ['a'], 'live')).toEqual([undefined]);
  });

  it('needs a source that takes rows', async () => {
    const store = await newShop().open();
    expect((await failure(() => store.push('nowhere', []))).code).toBe('PUSH_SOURCE_NOT_FOUND');
  });
});

describe('writing to the online store', () => {
  it('needs a view that is there and has a batch history', async () => {
    const store = await newShop().open();
    expect(await failure(() => store.writeToOnlineStore('pasd', []))).toMatchObject({
      code: 'FEATURE_VIEW_NOT_FOUND',
      message: expect.stringContaining('past'),
    });
    expect(await failure(() => store.writeToOnlineStore('live', []))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      next: expect.stringContaining('topic'),
    });
  });
});

describe('deleting a feature view', () => {
  it('deletes its rows and what uses it, until it is applied again', async () => {
    const shop = newShop();
    await writeHistory(shop, [['a', '2025-01-02T00:00:00Z', 1]]);
    const store = await shop.open();
    await store.apply();
    await store.materialize(YEAR);
    await store.deleteFeatureView('past');
    const { definitions, views } = await store.registry();
    expect(definitions.map(({ name }) => name)).toEqual(['user', 'orders', 'history', 'live']);
    expect(views).toEqual({ live: 'GENERATED' });
    expect((await failure(() => amounts(store, ['a']))).code).toBe('FEATURE_VIEW_NOT_FOUND');
    await store.apply();
    expect(await amounts(store, ['a'])).toEqual([undefined]);
    // Nothing of it counts as materialized any more.
    expect(await store.materializationIntervals('past')).toEqual([]);
    await store.materializeIncremental();
    expect(await amounts(store, ['a'])).toEqual([1]);
  });

  it('needs one that is there', async () => {
    const store = await newShop().open();
    expect((await failure(() => store.deleteFeatureView('nothing'))).code).toBe(
      'FEATURE_VIEW_NOT_FOUND',
    );
  });
});

describe('an incompatible change', () => {
  it('is refused, and forced deletes the rows and what is known of them', async () => {
    const shop = newShop();
    await writeHistory(shop, [['a', '2025-01-02T00:00:00Z', 1]]);
    const store = await shop.open();
    await store.apply();
    await store.materialize(YEAR);
    await store.close();
    const moved = featureView({
      name: 'past',
      entities: [user],
      source: orders,
      schema: { amount: 'int64' },
    });
    const next = await shop.open({ definitions: [moved] });
    expect((await failure(() => next.apply())).code).toBe('INCOMPATIBLE_CHANGE');
    expect(await amounts(next, ['a'])).toEqual([undefined]);
    await next.apply({ force: true });
    expect((await next.checksum())['past']?.rows ?? 0).toBe(0);
  });
});

describe('teardown', () => {
  it('removes rows, topics and the registry; what was torn down can be applied again', async () => {
    const shop = newShop();
    await writeHistory(shop, [['a', '2025-01-02T00:00:00Z', 1]]);
    const store = await shop.open();
    await store.apply();
    await store.materialize(YEAR);
    const first = '2025-01-02T00:00:00Z';
    const before = ['x', 'y', 'z'].map((key) => [key, first, 1] as const);
    await produce(store, before);
    await runEngine(store);
    expect((await store.teardown()).topics).toContain('orders');
    expect((await store.registry()).revision).toBe(0);
    expect(await (await store.resources.log()).listTopics()).toEqual([]);
    expect(await amounts(store, ['a'])).toEqual([undefined]);
    expect((await store.apply()).every(({ transition }) => transition === 'CREATE')).toBe(true);
    expect(await store.segments('orders')).toEqual([]);
    // The new topic begins at offset 0, and so does what is read of it.
    await produce(store, [['x', first, 2]]);
    await runEngine(store);
    expect(await amounts(store, ['x', 'y'], 'live')).toEqual([2, undefined]);
    expect((await store.segments('orders')).map(({ rowCount }) => rowCount)).toEqual([1]);
  });
});

describe('what is looked into', () => {
  it('are stored rows, segments and the rows of a history as they are', async () => {
    const shop = newShop();
    await writeHistory(shop, [
      ['a', '2025-01-02T00:00:00Z', 1],
      ['b', '2025-01-03T00:00:00Z', null],
    ]);
    const store = await shop.open();
    await store.apply();
    await store.materialize(YEAR);
    await produce(store, [['a', '2025-01-04T00:00:00Z', 5]]);
    await runEngine(store);
    const rows = [];
    for await (const row of store.inspectView('past')) rows.push(row);
    expect(rows).toMatchObject([
      { entityKey: { user: 'a' }, features: { amount: 1n } },
      { entityKey: { user: 'b' }, features: { amount: null } },
    ]);
    const segments = await store.segments('orders');
    expect(segments.map(({ rowCount }) => rowCount)).toEqual([1]);
    expect((await failure(() => store.segments('history'))).code).toBe('SOURCE_NOT_FOUND');
    const day = '2025-01-03T00:00:00Z';
    expect(await store.readSourceRows({ view: 'past', startTime: day, endTime: day })).toEqual([
      { user: 'b', at: Date.parse(day) * 1_000, amount: null },
    ]);
    expect(await store.readSourceRows({ view: 'live', startTime: day, endTime: day })).toEqual([]);
    expect(store.catalog.views.size).toBe(SHOP.filter((d) => d.kind === 'featureView').length);
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyCatalog, planApply, type RegistryFile, teardown } from '../../src/registry/index.ts';
import {
  catalogOf,
  history,
  historyOf,
  NOW_MS,
  ordersOf,
  RecordingPorts,
  SCHEMA,
  shop,
  spendingOf,
  useFolder,
  user,
} from './support.ts';

const newFolder = useFolder();
const DEAD_LETTERS = { topic: 'dead', partitions: 1 };
const SYSTEM = { systemTopics: [DEAD_LETTERS] };

function transitions(changes: readonly { transition: string; name: string }[]): string[] {
  return changes.map(({ transition, name }) => `${transition} ${name}`);
}

async function failure(attempt: Promise<unknown>): Promise<{ code: string; message: string }> {
  return attempt.then(
    () => {
      throw new Error('it did not fail');
    },
    (thrown) => thrown,
  );
}

async function setView(registry: RegistryFile, state: 'AVAILABLE_ONLINE'): Promise<void> {
  await registry.update((before) => ({ ...before, views: { spending: state } }));
}

describe('applying a catalog', () => {
  it('checks schemas, then makes topics, then registers schemas, and records all of it last', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    const changes = await applyCatalog(registry(), catalogOf(...shop()), ports, SYSTEM);
    expect(ports.calls).toEqual([
      'check orders-value',
      'createTopic orders 4',
      'createTopic dead 1',
      'register orders-value',
    ]);
    expect(transitions(changes)).toEqual([
      'CREATE user',
      'CREATE orders',
      'CREATE history',
      'CREATE cart',
      'CREATE spending',
      'CREATE total',
      'CREATE model',
    ]);
    const { definitions, ...state } = await registry().read();
    expect(definitions).toHaveLength(7);
    expect(state).toEqual({
      format: 1,
      project: 'shop',
      revision: 1,
      updatedAtMs: NOW_MS,
      views: { spending: 'GENERATED' },
      handovers: {},
      topics: ['dead', 'orders'],
      subjects: ['orders-value'],
    });
  });

  it('twice changes nothing, not a byte of the registry', async () => {
    const { registry, file } = newFolder();
    const ports = new RecordingPorts();
    await applyCatalog(registry(), catalogOf(...shop()), ports, SYSTEM);
    const before = readFileSync(file, 'utf8');
    const changes = await applyCatalog(registry(), catalogOf(...shop()), ports, SYSTEM);
    expect(new Set(changes.map(({ transition }) => transition))).toEqual(new Set(['UNCHANGED']));
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('is planned without a change', async () => {
    const { registry } = newFolder();
    const planned = await planApply(registry(), catalogOf(...shop()));
    expect((await registry().read()).revision).toBe(0);
    expect(planned).toEqual(
      await applyCatalog(registry(), catalogOf(...shop()), new RecordingPorts()),
    );
  });

  it('makes no topic where nothing reads one', async () => {
    const ports = new RecordingPorts();
    const view = spendingOf({ source: history });
    await applyCatalog(newFolder().registry(), catalogOf(view), ports, SYSTEM);
    expect(ports.calls).toEqual([]);
  });

  it('that failed at any step records nothing, and goes through when it is done again', async () => {
    for (const call of ['createTopic orders 4', 'createTopic dead 1', 'register orders-value']) {
      const { registry } = newFolder();
      const ports = new RecordingPorts();
      ports.failAt = call;
      const catalog = catalogOf(...shop());
      expect(await failure(applyCatalog(registry(), catalog, ports, SYSTEM))).toMatchObject({
        message: `${call} fails`,
      });
      expect((await registry().read()).definitions).toEqual([]);
      await applyCatalog(registry(), catalog, ports, SYSTEM);
      expect((await registry().read()).definitions).toHaveLength(7);
      expect([...ports.topics]).toEqual(['orders', 'dead']);
    }
  });

  it('does not make a topic for a schema that cannot follow', async () => {
    const ports = new RecordingPorts();
    ports.incompatible.set('orders-value', ['amount was string', 'user is gone']);
    const error = await failure(
      applyCatalog(newFolder().registry(), catalogOf(...shop()), ports, SYSTEM),
    );
    expect(error).toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
      where: { source: 'orders', topic: 'orders' },
    });
    expect(error.message).toContain('amount was string; user is gone');
    expect(ports.topics.size).toBe(0);
  });

  it('keeps the topics of sources that are gone, for the teardown', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    ports.topics.add('theirs');
    await applyCatalog(registry(), catalogOf(spendingOf()), ports, SYSTEM);
    const elsewhere = spendingOf({
      name: 'other',
      source: ordersOf({ name: 'theirs', topic: 'theirs', format: 'json' }),
    });
    await applyCatalog(registry(), catalogOf(elsewhere), ports, SYSTEM);
    expect(await registry().read()).toMatchObject({
      topics: ['dead', 'orders'],
      subjects: ['orders-value'],
      views: { other: 'GENERATED' },
    });
  });
});

describe('changes of what is applied', () => {
  it('of metadata are updates that break nothing and keep the state of the view', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    await applyCatalog(registry(), catalogOf(spendingOf()), ports);
    await setView(registry(), 'AVAILABLE_ONLINE');
    ports.take();
    const tagged = catalogOf(spendingOf({ tags: { team: 'b' } }));
    const changes = await applyCatalog(registry(), tagged, ports);
    expect(changes.at(-1)).toEqual({
      transition: 'UPDATE',
      kind: 'featureView',
      name: 'spending',
      properties: [{ property: 'tags', existing: {}, declared: { team: 'b' } }],
      incompatible: [],
    });
    expect(ports.take().some((call) => call.startsWith('deleteViews'))).toBe(false);
    expect((await registry().read()).views).toEqual({ spending: 'AVAILABLE_ONLINE' });
  });

  it('that break stored rows are refused with their reasons, before anything is made', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    await applyCatalog(registry(), catalogOf(spendingOf()), ports);
    ports.take();
    const broken = catalogOf(spendingOf({ source: history }));
    const error = await failure(applyCatalog(registry(), broken, ports));
    expect(error).toMatchObject({
      code: 'INCOMPATIBLE_CHANGE',
      message: expect.stringContaining('streamSource was "orders" and is null'),
      next: expect.stringContaining('--force'),
    });
    expect(ports.take()).toEqual([]);
    expect(await planApply(registry(), catalogOf(spendingOf()))).not.toContainEqual(
      expect.objectContaining({ transition: 'UPDATE' }),
    );
  });

  it('that break stored rows delete them when they are forced; the view begins anew', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    await applyCatalog(registry(), catalogOf(spendingOf()), ports);
    await setView(registry(), 'AVAILABLE_ONLINE');
    ports.take();
    const broken = catalogOf(spendingOf({ source: history }));
    await applyCatalog(registry(), broken, ports, { force: true });
    expect(ports.take()).toEqual(['deleteViews spending']);
    expect((await registry().read()).views).toEqual({ spending: 'GENERATED' });
  });

  it('of a source that break its history cannot be forced', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    await applyCatalog(registry(), catalogOf(spendingOf()), ports);
    ports.take();
    const source = ordersOf({ partitions: 8, schema: { ...SCHEMA, amount: 'int64' } });
    const view = spendingOf({ source, schema: { amount: 'int64' } });
    const error = await failure(applyCatalog(registry(), catalogOf(view), ports, { force: true }));
    expect(error).toMatchObject({
      code: 'INCOMPATIBLE_CHANGE',
      next: expect.stringContaining('--force cannot change'),
    });
    expect(error.message).toContain('topicSource "orders": partitions was 4 and is 8');
    expect(error.message).not.toContain('featureView');
    expect(ports.take()).toEqual([]);
  });

  it('that leave a view out delete what is stored of it', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    const other = spendingOf({ name: 'other' });
    await applyCatalog(registry(), catalogOf(spendingOf(), other), ports);
    ports.take();
    const changes = await applyCatalog(registry(), catalogOf(other), ports);
    expect(transitions(changes)).toContain('DELETE spending');
    expect(ports.take()).toContain('deleteViews spending');
    expect((await registry().read()).views).toEqual({ other: 'GENERATED' });
  });

  it('of one view wait for those of another process, and keep both', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    await Promise.all(
      [registry(), registry(), registry()].map((each) =>
        applyCatalog(each, catalogOf(spendingOf()), ports),
      ),
    );
    expect((await registry().read()).revision).toBe(1);
  });
});

describe('teardown', () => {
  it('removes what apply made and nothing else, and then the registry', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    ports.topics.add('orders'); // it was there before
    await applyCatalog(registry(), catalogOf(...shop()), ports, SYSTEM);
    ports.take();
    const removed = await teardown(registry(), ports);
    expect(removed.topics).toEqual(['dead']);
    expect(ports.take()).toEqual(['deleteAll', 'deleteTopic dead', 'deleteSubject orders-value']);
    expect(await registry().read()).toMatchObject({ revision: 0, definitions: [] });
    expect([...ports.topics]).toEqual(['orders']);
  });

  it('that failed keeps the registry, so that it can be done again', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    await applyCatalog(registry(), catalogOf(spendingOf({ entities: [user] })), ports, SYSTEM);
    ports.failAt = 'deleteTopic orders';
    await failure(teardown(registry(), ports));
    expect((await registry().read()).topics).toEqual(['dead', 'orders']);
    await teardown(registry(), ports);
    expect(ports.topics.size).toBe(0);
    expect((await registry().read()).revision).toBe(0);
  });

  it('of nothing does nothing', async () => {
    const ports = new RecordingPorts();
    await teardown(newFolder().registry(), ports);
    expect(ports.calls).toEqual(['deleteAll']);
  });
});

describe('a batch history', () => {
  it('may move to another path without a loss', async () => {
    const { registry } = newFolder();
    const ports = new RecordingPorts();
    await applyCatalog(registry(), catalogOf(spendingOf({ source: history })), ports);
    const moved = spendingOf({ source: historyOf({ path: 'elsewhere' }) });
    const changes = await applyCatalog(registry(), catalogOf(moved), ports);
    expect(transitions(changes)).toEqual([
      'UNCHANGED user',
      'UPDATE history',
      'UNCHANGED spending',
    ]);
  });
});

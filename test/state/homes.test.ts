import { describe, expect, it } from 'vitest';
import { partitionForKey } from '../../src/core/murmur2.ts';
import { entity, featureView, topicSource } from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { homeFinder, openStateStore } from '../../src/state/index.ts';
import { openTestKv } from './test-store.ts';

const VIEW = 7;

function viewKeyedBy(keyFields: readonly string[]) {
  return featureView({
    name: 'stats',
    entities: [entity({ name: 'route', joinKeys: { origin: 'string', number: 'int64' } })],
    source: topicSource({
      name: 'flights',
      topic: 'flights',
      schema: { date: 'timestamp', origin: 'string', number: 'int64', delay: 'int32' },
      timestampField: 'date',
      keyFields: keyFields as ['origin'],
    }),
    schema: { delay: 'int32' },
  });
}

describe('Homes', () => {
  it('does not know a view that was never written', async () => {
    const { homes } = await openStateStore(await openTestKv());
    expect(homes.get(VIEW)).toBeUndefined();
  });

  it('keeps a view at home until a row arrives elsewhere', async () => {
    const kv = await openTestKv();
    const { homes } = await openStateStore(kv);
    expect(await homes.ensure(VIEW, 4)).toEqual({ partitions: 4, spread: false });
    const batch = new KvBatch();
    homes.markSpread(VIEW, 4, batch);
    expect(homes.get(VIEW)).toEqual({ partitions: 4, spread: true });
    await kv.write(batch);
    const again = (await openStateStore(kv)).homes;
    expect(again.get(VIEW)).toEqual({ partitions: 4, spread: true });
    expect(await again.ensure(VIEW, 4)).toEqual({ partitions: 4, spread: true });
  });

  it('tells a new writer to mark again what no batch has written', async () => {
    const { homes } = await openStateStore(await openTestKv());
    await homes.ensure(VIEW, 4);
    homes.markSpread(VIEW, 4, new KvBatch());
    expect(await homes.ensure(VIEW, 4)).toEqual({ partitions: 4, spread: false });
    expect(homes.get(VIEW)?.spread).toBe(true);
  });

  it('spreads a view when its topic has got more partitions', async () => {
    const kv = await openTestKv();
    const { homes } = await openStateStore(kv);
    await homes.ensure(VIEW, 4);
    expect(await homes.ensure(VIEW, 8)).toEqual({ partitions: 8, spread: true });
    expect((await openStateStore(kv)).homes.get(VIEW)).toEqual({ partitions: 8, spread: true });
  });

  it('forgets a view with its rows', async () => {
    const kv = await openTestKv();
    const { homes } = await openStateStore(kv);
    await homes.ensure(VIEW, 4);
    const batch = new KvBatch();
    homes.forget(VIEW, batch);
    await kv.write(batch);
    expect((await openStateStore(kv)).homes.get(VIEW)).toBeUndefined();
  });
});

describe('homeFinder', () => {
  const names = ['number', 'origin'];

  it('finds the partition that a producer sends the record key to', () => {
    const home = (fields: readonly string[], text: string): void => {
      const found = homeFinder(viewKeyedBy(fields), names)?.homeOf([12n, 'JFK'], 16);
      expect(found).toBe(partitionForKey(Buffer.from(text), 16));
    };
    home(['origin'], 'JFK');
    home(['number'], '12');
    home(['origin', 'number'], '["JFK",12]');
  });

  it('is null when record keys do not follow from the join keys', () => {
    expect(homeFinder(viewKeyedBy([]), names)).toBeNull();
    expect(homeFinder(viewKeyedBy(['delay']), names)).toBeNull();
  });
});

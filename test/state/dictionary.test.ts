import { describe, expect, it } from 'vitest';
import { KvBatch } from '../../src/kv/index.ts';
import { openStateStore } from '../../src/state/index.ts';
import { META, metaKey } from '../../src/state/key-schema.ts';
import { openTestKv, openTestStore } from './test-store.ts';

describe('Dictionary', () => {
  it('gives ids in the order of asking and keeps them', async () => {
    const kv = await openTestKv();
    const { dictionary } = await openStateStore(kv);
    expect(await dictionary.ensureView('b')).toBe(1);
    expect(await dictionary.ensureView('a')).toBe(2);
    expect(await dictionary.ensureView('b')).toBe(1);
    expect(await dictionary.ensureSource('b')).toBe(1);
    const again = (await openStateStore(kv)).dictionary;
    expect([again.viewId('b'), again.viewId('a'), again.sourceId('b')]).toEqual([1, 2, 1]);
    expect(again.viewId('c')).toBeUndefined();
    expect(await again.ensureView('c')).toBe(3);
    expect([...again.views]).toEqual([
      ['a', 2],
      ['b', 1],
      ['c', 3],
    ]);
  });

  it('gives one id to a name that is asked for twice at once', async () => {
    const { dictionary } = await openTestStore();
    const ids = await Promise.all(['a', 'b', 'a'].map((name) => dictionary.ensureView(name)));
    expect(ids).toEqual([1, 2, 1]);
  });

  it('goes on after a write that failed', async () => {
    const kv = await openTestKv();
    const { dictionary } = await openStateStore(kv);
    const { write } = kv;
    kv.write = () => Promise.reject(new Error('disk'));
    await expect(dictionary.ensureView('a')).rejects.toThrow('disk');
    kv.write = write;
    expect(dictionary.viewId('a')).toBeUndefined();
    expect(await dictionary.ensureView('b')).toBe(1);
  });

  it('keeps layouts by their names and types', async () => {
    const kv = await openTestKv();
    const { dictionary } = await openStateStore(kv);
    const first = await dictionary.ensureLayout({ delay: 'int32', name: 'string' });
    const other = await dictionary.ensureLayout({ name: 'string', delay: 'int32' });
    expect(await dictionary.ensureLayout({ delay: 'int32', name: 'string' })).toBe(first);
    expect(other.id).not.toBe(first.id);
    const again = (await openStateStore(kv)).dictionary;
    expect(again.requireLayout(first.id)).toEqual(first);
    expect(first.names).toEqual(['delay', 'name']);
  });

  it('calls a store corrupt that names what it does not have', async () => {
    const kv = await openTestKv();
    const { dictionary } = await openStateStore(kv);
    const corrupt = expect.objectContaining({ code: 'STORE_CORRUPT' });
    expect(() => dictionary.requireLayout(9)).toThrow(corrupt);
    await kv.write(new KvBatch().put(metaKey(META.layout, Uint8Array.of(0, 1)), Buffer.from('[')));
    await expect(openStateStore(kv)).rejects.toThrow(corrupt);
  });
});

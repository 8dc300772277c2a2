import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  KvBatch,
  type KvOperation,
  type KvRange,
  type KvReader,
  type KvStore,
} from '../../src/kv/index.ts';
import { NaiveKvStore } from '../oracle/naive-kv-store.ts';

export interface KvStoreSuiteOptions {
  readonly name: string;
  /** Opens the store of a folder, which is there and empty at first. */
  readonly open: (folder: { path: string; readOnly?: boolean }) => Promise<KvStore>;
  /** Whether a store that is opened again holds what was written. */
  readonly keeps: boolean;
  /** Generated runs of the comparison with the naive store. Default 60. */
  readonly runs?: number;
}

/** What every key-value store does. */
export function kvStoreSuite(options: KvStoreSuiteOptions): void {
  const { name, open, keeps } = options;

  describe(`key-value store: ${name}`, () => {
    let path: string;
    let store: KvStore;

    beforeEach(async () => {
      path = await mkdtemp(join(tmpdir(), 'freshet-kv-'));
      store = await open({ path });
    });

    afterEach(async () => {
      await store.close();
      await rm(path, { recursive: true, force: true });
    });

    const put = (...pairs: string[]): Promise<void> => {
      const batch = new KvBatch();
      for (const pair of pairs) {
        const [key, value] = pair.split('=') as [string, string];
        batch.put(bytes(key), bytes(value));
      }
      return store.write(batch);
    };

    describe('reads', () => {
      it('gives a value that was written, and undefined for a key that was not', async () => {
        await put('a=1');
        expect(text(await store.get(bytes('a')))).toBe('1');
        expect(await store.get(bytes('b'))).toBeUndefined();
        expect(await store.get(bytes('aa'))).toBeUndefined();
      });

      it('tells an empty value from a missing key', async () => {
        await put('a=');
        expect(await store.get(bytes('a'))).toHaveLength(0);
        expect(await store.getMany([bytes('b'), bytes('a')])).toEqual([
          undefined,
          expect.toSatisfy((value: Uint8Array) => value.length === 0),
        ]);
      });

      it('gives many values in the order of the keys, with duplicates and missing ones', async () => {
        await put('a=1', 'b=2', 'c=3');
        const values = await store.getMany(['c', 'x', 'a', 'c', 'b'].map(bytes));
        expect(values.map(text)).toEqual(['3', undefined, '1', '3', '2']);
        expect(await store.getMany([])).toEqual([]);
      });

      it('keeps bytes of every value in keys and values', async () => {
        const all = Uint8Array.from({ length: 256 }, (_, i) => i);
        await store.write(new KvBatch().put(all, all));
        expect(hex(await store.get(all))).toBe(hex(all));
      });

      it('takes a Buffer and a view into a larger array as keys', async () => {
        const large = bytes('xxkeyxx');
        await store.write(new KvBatch().put(large.subarray(2, 5), bytes('v')));
        expect(text(await store.get(Buffer.from('key')))).toBe('v');
      });

      it('keeps a value of several megabytes', async () => {
        const value = new Uint8Array(5_000_000).fill(7);
        await store.write(new KvBatch().put(bytes('large'), value));
        const read = await store.get(bytes('large'));
        expect(read?.length).toBe(value.length);
        expect(Buffer.compare(read as Uint8Array, value)).toBe(0);
      });
    });

    describe('batches', () => {
      it('applies operations in order, so that the last one on a key wins', async () => {
        await store.write(
          new KvBatch()
            .put(bytes('a'), bytes('1'))
            .delete(bytes('a'))
            .put(bytes('b'), bytes('1'))
            .put(bytes('b'), bytes('2'))
            .put(bytes('c'), bytes('1'))
            .deleteRange(bytes('c'), bytes('d'))
            .put(bytes('d'), bytes('1')),
        );
        expect(await entries(store, {})).toEqual(['b=2', 'd=1']);
      });

      it('deletes a range without its end', async () => {
        await put('a=1', 'b=2', 'bb=3', 'c=4');
        await store.write(new KvBatch().deleteRange(bytes('b'), bytes('c')));
        expect(await entries(store, {})).toEqual(['a=1', 'c=4']);
      });

      it('deletes nothing with a range whose end is not above its start', async () => {
        await put('a=1', 'b=2');
        await store.write(new KvBatch().deleteRange(bytes('b'), bytes('b')));
        expect(await entries(store, {})).toEqual(['a=1', 'b=2']);
      });

      it('keeps what is put into a range after the range was deleted', async () => {
        await put('a=1', 'b=2');
        await store.write(
          new KvBatch().deleteRange(bytes('a'), bytes('z')).put(bytes('b'), bytes('new')),
        );
        expect(await entries(store, {})).toEqual(['b=new']);
      });

      it('accepts an empty batch, synced or not', async () => {
        await store.write(new KvBatch());
        await store.write(new KvBatch(), { sync: true });
        expect(await entries(store, {})).toEqual([]);
      });

      it('shows a synced batch, and the one after it', async () => {
        await store.write(new KvBatch().put(bytes('a'), bytes('1')), { sync: true });
        await store.write(new KvBatch().put(bytes('a'), bytes('2')), { sync: true });
        await put('b=1');
        await store.flush();
        await store.flush();
        await store.purge();
        expect(await entries(store, {})).toEqual(['a=2', 'b=1']);
      });

      it('shows all of a batch or none of it to a reader beside it', async () => {
        const keys = Array.from({ length: 50 }, (_, i) => bytes(`k${i}`));
        const writing = (async () => {
          for (let round = 0; round < 40; round++) {
            const batch = new KvBatch();
            for (const key of keys) batch.put(key, bytes(String(round)));
            await store.write(batch);
          }
        })();
        for (let read = 0; read < 40; read++) {
          const seen = new Set((await entries(store, {})).map((entry) => entry.split('=')[1]));
          expect(seen.size).toBeLessThanOrEqual(1);
        }
        await writing;
      });
    });

    describe('scans', () => {
      beforeEach(() => put('a=1', 'b=2', 'ba=3', 'c=4', 'd=5'));

      it.each<[string, KvRange, string]>([
        ['all', {}, 'a b ba c d'],
        ['from a key, included', { gte: bytes('b') }, 'b ba c d'],
        ['from a key that is not there', { gte: bytes('aa') }, 'b ba c d'],
        ['up to a key, excluded', { lt: bytes('c') }, 'a b ba'],
        ['between two keys', { gte: bytes('b'), lt: bytes('c') }, 'b ba'],
        ['nothing of a range whose end is its start', { gte: bytes('b'), lt: bytes('b') }, ''],
        ['nothing of a range that is the wrong way round', { gte: bytes('c'), lt: bytes('b') }, ''],
        ['nothing below the lowest key', { lt: bytes('a') }, ''],
        ['nothing above the highest key', { gte: bytes('e') }, ''],
        ['backwards', { reverse: true }, 'd c ba b a'],
        ['backwards below a key', { lt: bytes('c'), reverse: true, limit: 1 }, 'ba'],
        [
          'backwards between two keys',
          { gte: bytes('b'), lt: bytes('d'), reverse: true },
          'c ba b',
        ],
        ['up to a limit', { limit: 2 }, 'a b'],
        ['up to a limit backwards', { limit: 2, reverse: true }, 'd c'],
        ['nothing with a limit of zero', { limit: 0 }, ''],
        ['more than there is', { limit: 100 }, 'a b ba c d'],
        ['page by page', { pageSize: 2, gte: bytes('b') }, 'b ba c d'],
        ['page by page up to a limit', { pageSize: 2, limit: 4 }, 'a b ba c'],
        ['page by page backwards', { pageSize: 2, limit: 3, reverse: true }, 'd c ba'],
      ])('reads %s', async (_, range, expected) => {
        const found = (await entries(store, range)).map((entry) => entry.split('=')[0]);
        expect(found.join(' ')).toBe(expected);
      });

      it('hands over pages of the size asked, none of them empty', async () => {
        const sizes: number[] = [];
        for await (const page of store.scan({ pageSize: 2 })) sizes.push(page.length);
        expect(sizes.reduce((sum, size) => sum + size)).toBe(5);
        expect(sizes.every((size) => size >= 1 && size <= 2)).toBe(true);
      });

      it('orders keys as unsigned bytes, a prefix before what it begins', async () => {
        const batch = new KvBatch().deleteRange(bytes('a'), bytes('z'));
        for (const key of [[0x80], [0x7f], [0xff, 0xff], [0xff], [0x7f, 0x00]]) {
          batch.put(Uint8Array.from(key), bytes(''));
        }
        await store.write(batch);
        const keys = (await entries(store, {}, hex)).map((entry) => entry.split('=')[0]);
        expect(keys).toEqual(['7f', '7f00', '80', 'ff', 'ffff']);
      });

      it('sees nothing of what is written after its first page', async () => {
        const found: string[] = [];
        for await (const page of store.scan({ pageSize: 1 })) {
          found.push(...page.map(([key]) => text(key) as string));
          await store.write(new KvBatch().delete(bytes('d')).put(bytes('bb'), bytes('new')));
        }
        expect(found).toEqual(['a', 'b', 'ba', 'c', 'd']);
        expect(await entries(store, { gte: bytes('bb') })).toEqual(['bb=new', 'c=4']);
      });

      it('can be left before its end', async () => {
        for await (const _ of store.scan({ pageSize: 1 })) break;
        expect(await entries(store, { limit: 1 })).toEqual(['a=1']);
      });

      it('can run beside others', async () => {
        const all = await Promise.all(
          Array.from({ length: 8 }, (_, i) => entries(store, { pageSize: 1 + (i % 3) })),
        );
        for (const found of all) expect(found).toHaveLength(5);
      });
    });

    describe('snapshots', () => {
      it('do not see later writes, in gets and scans of either direction', async () => {
        await put('a=1', 'b=2', 'c=3');
        await using snapshot = store.snapshot();
        await store.write(
          new KvBatch()
            .put(bytes('a'), bytes('new'))
            .delete(bytes('b'))
            .put(bytes('d'), bytes('4')),
        );
        expect(text(await snapshot.get(bytes('a')))).toBe('1');
        expect((await snapshot.getMany(['d', 'b'].map(bytes))).map(text)).toEqual([undefined, '2']);
        expect(await entries(snapshot, { pageSize: 2 })).toEqual(['a=1', 'b=2', 'c=3']);
        expect(await entries(snapshot, { reverse: true, pageSize: 2, gte: bytes('b') })).toEqual([
          'c=3',
          'b=2',
        ]);
        expect(await entries(snapshot, { lt: bytes('c'), limit: 1, reverse: true })).toEqual([
          'b=2',
        ]);
        expect(await entries(store, {})).toEqual(['a=new', 'c=3', 'd=4']);
      });

      it('survive a flush and range deletes', async () => {
        await put('a=1', 'b=2');
        await using snapshot = store.snapshot();
        await store.write(new KvBatch().deleteRange(bytes('a'), bytes('z')), { sync: true });
        expect(await entries(snapshot, {})).toEqual(['a=1', 'b=2']);
        expect(await entries(store, {})).toEqual([]);
      });

      it('answer several readers at once', async () => {
        await put('a=1', 'b=2', 'c=3');
        await using snapshot = store.snapshot();
        const [one, many, scan] = await Promise.all([
          snapshot.get(bytes('b')),
          snapshot.getMany(['c', 'a'].map(bytes)),
          entries(snapshot, { pageSize: 1 }),
        ]);
        expect([one, ...many].map(text)).toEqual(['2', '3', '1']);
        expect(scan).toHaveLength(3);
      });

      it('refuse use after their close, which may be repeated', async () => {
        const snapshot = store.snapshot();
        await snapshot.close();
        await snapshot.close();
        await expect(snapshot.get(bytes('a'))).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      });
    });

    describe('close', () => {
      it('may be repeated, and refuses every later use', async () => {
        const snapshot = store.snapshot();
        await Promise.all([store.close(), store.close()]);
        await store.close();
        const closed = { code: 'STORE_CLOSED' };
        await expect(store.get(bytes('a'))).rejects.toMatchObject(closed);
        await expect(store.getMany([])).rejects.toMatchObject(closed);
        await expect(store.write(new KvBatch())).rejects.toMatchObject(closed);
        await expect(store.flush()).rejects.toMatchObject(closed);
        await expect(entries(store, {})).rejects.toMatchObject(closed);
        await expect(snapshot.get(bytes('a'))).rejects.toMatchObject(closed);
        expect(() => store.snapshot()).toThrow(expect.objectContaining(closed));
      });

      it('waits for reads and writes under way', async () => {
        await put('a=1');
        const reads = Array.from({ length: 20 }, () => store.get(bytes('a')));
        const write = store.write(new KvBatch().put(bytes('b'), bytes('2')));
        await store.close();
        expect((await Promise.all(reads)).map(text)).toEqual(Array(20).fill('1'));
        await write;
      });

      it('ends a scan between its pages', async () => {
        await put('a=1', 'b=2', 'c=3');
        const scan = store.scan({ pageSize: 1 })[Symbol.asyncIterator]();
        await scan.next();
        await store.close();
        await expect(scan.next()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      });

      it('is not held up by a snapshot that was left open', async () => {
        await put('a=1');
        const snapshot = store.snapshot();
        await snapshot.get(bytes('a'));
        await store.close();
        await snapshot.close();
      });
    });

    describe.skipIf(!keeps)('opened again', () => {
      it('holds what was written, and what was deleted is gone', async () => {
        await put('a=1', 'b=2', 'c=3');
        await store.write(new KvBatch().deleteRange(bytes('b'), bytes('c')).delete(bytes('a')));
        await store.close();
        store = await open({ path });
        expect(await entries(store, {})).toEqual(['c=3']);
      });

      it('refuses a second writer, and says who holds the folder', async () => {
        await expect(open({ path })).rejects.toMatchObject({
          code: 'STORE_LOCKED',
          message: expect.stringContaining(`(${process.pid})`),
        });
        await put('a=1');
      });

      it('is read beside its writer as it was at opening', async () => {
        await put('a=1');
        await using reader = await open({ path, readOnly: true });
        await put('a=2', 'b=1');
        await store.flush();
        expect(await entries(reader, {})).toEqual(['a=1']);
        await using later = await open({ path, readOnly: true });
        expect(await entries(later, {})).toEqual(['a=2', 'b=1']);
      });

      it('does not write when it was opened read-only', async () => {
        await using reader = await open({ path, readOnly: true });
        const batch = new KvBatch().put(bytes('a'), bytes('1'));
        await expect(reader.write(batch)).rejects.toThrow('read-only');
        await reader.flush();
      });

      it('is not made by a reader', async () => {
        const nowhere = join(path, 'nowhere');
        await expect(open({ path: nowhere, readOnly: true })).rejects.toMatchObject({
          code: 'STORE_NOT_FOUND',
        });
        await expect(open({ path: nowhere, readOnly: true })).rejects.toMatchObject({
          code: 'STORE_NOT_FOUND',
        });
      });
    });

    it('equals a naive store on generated operations', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 12 }), async (steps) => {
          await store.write(new KvBatch().deleteRange(Uint8Array.of(0), Uint8Array.of(255, 255)));
          await replay(store, steps, keeps ? () => open({ path }) : null, (now) => {
            store = now;
          });
        }),
        { numRuns: options.runs ?? 60 },
      );
    }, 120_000);
  });
}

type Step =
  | { readonly do: 'write'; readonly operations: readonly KvOperation[]; readonly sync: boolean }
  | { readonly do: 'get'; readonly keys: readonly Uint8Array[] }
  | { readonly do: 'scan'; readonly range: KvRange }
  | { readonly do: 'snapshot' }
  | { readonly do: 'reopen' };

/** Few and short keys, so that operations meet. */
const keyArbitrary = fc
  .array(fc.constantFrom(0, 1, 2, 127, 128, 254), { minLength: 1, maxLength: 3 })
  .map((key) => Uint8Array.from(key));
const valueArbitrary = fc.uint8Array({ maxLength: 3 });

const operationArbitrary: fc.Arbitrary<KvOperation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('put'), key: keyArbitrary, value: valueArbitrary }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete'), key: keyArbitrary }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('deleteRange'), gte: keyArbitrary, lt: keyArbitrary }),
  },
);

const rangeArbitrary = fc.record(
  {
    gte: keyArbitrary,
    lt: keyArbitrary,
    reverse: fc.boolean(),
    limit: fc.nat({ max: 8 }),
    pageSize: fc.integer({ min: 1, max: 4 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<KvRange>;

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('write'),
      operations: fc.array(operationArbitrary, { maxLength: 12 }),
      sync: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('get'), keys: fc.array(keyArbitrary) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('scan'), range: rangeArbitrary }) },
  { weight: 2, arbitrary: fc.constant({ do: 'snapshot' }) },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' }) },
);

async function replay(
  first: KvStore,
  steps: readonly Step[],
  reopen: (() => Promise<KvStore>) | null,
  onReopened: (store: KvStore) => void,
): Promise<void> {
  let store = first;
  const naive = new NaiveKvStore();
  let views: { readonly reader: KvReader & AsyncDisposable; readonly naive: NaiveKvStore }[] = [];
  for (const step of steps) {
    if (step.do === 'write') {
      const batch = new KvBatch();
      batch.operations.push(...step.operations);
      await store.write(batch, { sync: step.sync });
      naive.apply(step.operations);
    } else if (step.do === 'snapshot') {
      views.push({ reader: store.snapshot(), naive: naive.copy() });
    } else if (step.do === 'reopen' && reopen !== null) {
      await store.close();
      views = [];
      store = await reopen();
      onReopened(store);
    }
    for (const view of [{ reader: store, naive }, ...views]) {
      if (step.do === 'get') {
        expect((await view.reader.getMany(step.keys)).map(hex)).toEqual(
          step.keys.map((key) => hex(view.naive.get(key))),
        );
      }
      const range = step.do === 'scan' ? step.range : {};
      const expected = view.naive.scan(range).map(([key, value]) => `${hex(key)}=${hex(value)}`);
      expect(await entries(view.reader, range, hex)).toEqual(expected);
    }
  }
  for (const { reader } of views) await reader[Symbol.asyncDispose]();
}

async function entries(
  reader: KvReader,
  range: KvRange,
  write: (value: Uint8Array) => string | undefined = text,
): Promise<string[]> {
  const found: string[] = [];
  for await (const page of reader.scan(range)) {
    for (const [key, value] of page) found.push(`${write(key)}=${write(value)}`);
  }
  return found;
}

function bytes(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value));
}

function text(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString();
}

function hex(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString('hex');
}

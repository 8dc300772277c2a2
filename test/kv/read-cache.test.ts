import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { KvBatch, type KvStore, openKvStore, ReadCache } from '../../src/kv/index.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const text = (value: Uint8Array | undefined): string | null =>
  value === undefined ? null : Buffer.from(value).toString('latin1');

/** A store whose reads and writes end when the test says so; what it has changes in between. */
class SlowStore {
  readonly values = new Map<string, Uint8Array>();
  /** Keys of each read that reached the store. */
  readonly reads: string[][] = [];
  readonly #waiting: (() => void)[] = [];
  isSlow = false;

  get store(): KvStore {
    return {
      getMany: async (keys: readonly Uint8Array[]) => {
        this.reads.push(keys.map((key) => text(key) as string));
        const values = keys.map((key) => this.values.get(text(key) as string));
        await this.#turn();
        return values;
      },
      write: async (batch: KvBatch) => {
        await this.#turn();
        for (const operation of batch.operations) {
          if (operation.type === 'put') {
            this.values.set(text(operation.key) as string, operation.value.slice());
          } else if (operation.type === 'delete') {
            this.values.delete(text(operation.key) as string);
          } else {
            for (const key of this.values.keys()) {
              const [from, to] = [text(operation.gte) as string, text(operation.lt) as string];
              if (key >= from && key < to) this.values.delete(key);
            }
          }
        }
        await this.#turn();
      },
    } as unknown as KvStore;
  }

  /** Lets the oldest of what waits go on. */
  step(): void {
    this.#waiting.shift()?.();
  }

  /** The same for the newest: a store answers in any order. */
  stepLast(): void {
    this.#waiting.pop()?.();
  }

  get waits(): number {
    return this.#waiting.length;
  }

  #turn(): Promise<void> {
    return this.isSlow ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }
}

describe('the cache of reads', () => {
  let slow: SlowStore;
  let cache: ReadCache;
  beforeEach(() => {
    slow = new SlowStore();
    for (const key of ['a', 'b', 'c']) slow.values.set(key, bytes(`${key}0`));
    cache = new ReadCache(slow.store, 10_000);
  });

  const read = async (...keys: string[]): Promise<(string | null)[]> =>
    (await cache.getMany(keys.map(bytes))).map(text);
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  };

  it('asks the store once, also for what is not there', async () => {
    expect(await read('a', 'x', 'a')).toEqual(['a0', null, 'a0']);
    expect(await read('x', 'a')).toEqual([null, 'a0']);
    expect(slow.reads).toEqual([['a', 'x']]);
  });

  it('is written through', async () => {
    await read('a', 'b', 'x');
    const batch = new KvBatch().put(bytes('a'), bytes('a1')).delete(bytes('b'));
    await cache.store.write(batch.put(bytes('x'), bytes('x1')).put(bytes('y'), bytes('y1')));
    expect(await read('a', 'b', 'x')).toEqual(['a1', null, 'x1']);
    expect(slow.reads).toHaveLength(1);
    expect(await read('y')).toEqual(['y1']);
  });

  it('forgets what a range deletes', async () => {
    await read('a', 'b', 'c');
    await cache.store.write(new KvBatch().deleteRange(bytes('a'), bytes('c')));
    expect(await read('a', 'b', 'c')).toEqual([null, null, 'c0']);
  });

  it('sends the reads of one turn together, a key once', async () => {
    const all = await Promise.all([read('a', 'b'), read('b', 'c'), read('a')]);
    expect(all).toEqual([['a0', 'b0'], ['b0', 'c0'], ['a0']]);
    expect(slow.reads).toEqual([['a', 'b', 'c']]);
  });

  it('stays within its bytes, and keeps what was read last', async () => {
    for (let i = 0; i < 200; i++) {
      slow.values.set(`k${i}`, Buffer.alloc(100));
      await read('a', `k${i}`);
    }
    expect(cache.bytes).toBeLessThanOrEqual(10_000);
    slow.reads.length = 0;
    await read('a', 'k199');
    await read('k0');
    expect(slow.reads).toEqual([['k0']]);
  });

  it('tells a failed read to all who asked, and tries again', async () => {
    const failing = new ReadCache(
      {
        getMany: () => Promise.reject(new Error('the disk is gone')),
      } as unknown as KvStore,
      1_000,
    );
    const reads = [failing.getMany([bytes('a')]), failing.getMany([bytes('b')])];
    for (const one of reads) await expect(one).rejects.toThrow('the disk is gone');
  });

  it('reads again what a failed write may have changed', async () => {
    await read('a');
    const { store } = slow;
    const failing = new ReadCache(
      { ...store, write: () => Promise.reject(new Error('full')) },
      1_000,
    );
    await failing.getMany([bytes('a')]);
    slow.values.set('a', bytes('a1'));
    await expect(failing.store.write(new KvBatch().put(bytes('a'), bytes('a2')))).rejects.toThrow();
    expect((await failing.getMany([bytes('a')])).map(text)).toEqual(['a1']);
  });

  it('keeps no value that was read while it was written', async () => {
    slow.isSlow = true;
    const early = read('a');
    await settle();
    const writing = cache.store.write(new KvBatch().put(bytes('a'), bytes('a1')));
    await settle();
    for (let i = 0; i < 2; i++) {
      slow.stepLast(); // the write is done before the read has its answer
      await settle();
    }
    await writing;
    slow.isSlow = false;
    slow.step();
    expect(await early).toEqual(['a0']);
    expect(await read('a')).toEqual(['a1']);
  });

  it('shows both keys of a write or neither, whatever comes between (property)', async () => {
    const step = fc.oneof(
      fc.constant('read'),
      fc.constant('write'),
      fc.constant('step'),
      fc.constant('stepLast'),
      fc.constant('settle'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const world = new SlowStore();
        world.values.set('a', bytes('0')).set('b', bytes('0'));
        const tested = new ReadCache(world.store, 10_000);
        await tested.getMany([bytes('a')]); // half of it is cached
        world.isSlow = true;
        let version = 0;
        let written = 0;
        let lastWrite: Promise<void> = Promise.resolve();
        const reads: Promise<void>[] = [];
        for (const what of steps) {
          if (what === 'read') {
            const atLeast = written;
            reads.push(
              tested.getMany([bytes('a'), bytes('b')]).then(([a, b]) => {
                expect(text(a)).toBe(text(b));
                expect(Number(text(a))).toBeGreaterThanOrEqual(atLeast);
              }),
            );
          } else if (what === 'write') {
            const mine = String(++version);
            lastWrite = lastWrite.then(async () => {
              await tested.store.write(
                new KvBatch().put(bytes('a'), bytes(mine)).put(bytes('b'), bytes(mine)),
              );
              written = Number(mine);
            });
          } else if (what === 'step') world.step();
          else if (what === 'stepLast') world.stepLast();
          else await settle();
        }
        world.isSlow = false;
        for (let i = 0; i < 200 && (world.waits > 0 || i < 3); i++) {
          world.step();
          await settle();
        }
        await Promise.all([...reads, lastWrite]);
        const [a] = await tested.getMany([bytes('a')]);
        expect(text(a)).toBe(String(version));
      }),
      { numRuns: 300 },
    );
  });

  it('passes everything else on to the store', async () => {
    const kv = await openKvStore({ path: '', binding: 'memory' });
    const { store } = new ReadCache(kv, 1_000);
    await store.write(new KvBatch().put(bytes('a'), bytes('1')), { sync: true });
    expect(text(await store.get(bytes('a')))).toBe('1');
    await using snapshot = store.snapshot();
    await store.write(new KvBatch().delete(bytes('a')));
    expect((await snapshot.getMany([bytes('a')])).map(text)).toEqual(['1']);
    for await (const page of store.scan({})) expect(page).toEqual([]);
    await store.flush();
    await store.purge();
    await snapshot.close();
    await store.close();
  });
});

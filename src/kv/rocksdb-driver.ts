/**
 * The store over the package `rocksdb` (RocksDB 6.17), for those who name it. The package knows
 * neither range deletes nor snapshots: a range delete becomes the deletes of its keys in the same
 * batch, and a snapshot is an iterator that is kept and sought.
 */
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import type { BatchOperation, RocksDB, RocksIterator } from 'rocksdb';
import { FreshetError } from '../errors.ts';
import type { KvDriver, KvDriverRange, KvDriverSnapshot, KvPages } from './kv-driver.ts';
import type { KvEntry, KvOperation } from './kv-store.ts';
import type { StoreFolder } from './store-folder.ts';

/** The published Linux binary aborts the process on newer ones, so that nothing could be caught. */
const NODE_MAJOR = 20;

export async function openRocksdbDriver(folder: StoreFolder): Promise<KvDriver> {
  const { path, readOnly } = folder;
  const db = loadBinding(process.versions.node)(path);
  await promisify(db.open.bind(db))({ createIfMissing: !readOnly, readOnly });
  return new RocksdbDriver(db);
}

/** The package's factory. @throws FreshetError BINDING_UNSUPPORTED before it is loaded, or when it is not there */
export function loadBinding(nodeVersion: string): (path: string) => RocksDB {
  if (Number.parseInt(nodeVersion, 10) !== NODE_MAJOR) {
    throw new FreshetError(
      'BINDING_UNSUPPORTED',
      `the package rocksdb runs on Node ${NODE_MAJOR} only, and this is Node ${nodeVersion}`,
    );
  }
  try {
    return createRequire(import.meta.url)('rocksdb');
  } catch (cause) {
    throw new FreshetError('BINDING_UNSUPPORTED', 'the package rocksdb cannot be loaded', {
      cause,
      next: 'Install it with `npm install rocksdb@5.2.1`, or choose `binding: rocksdb-native` in freshet.yaml.',
    });
  }
}

class RocksdbDriver implements KvDriver {
  readonly #db: RocksDB;
  /** Range deletes read before they write, so writes wait for each other. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(db: RocksDB) {
    this.#db = db;
  }

  readMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return promisify(this.#db.getMany.bind(this.#db))(keys.map(asBuffer));
  }

  pages(range: KvDriverRange): KvPages {
    return new IteratorPages(this.#db, range);
  }

  write(operations: readonly KvOperation[], sync: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const plain = await this.#withoutRanges(operations);
      if (plain.length > 0) await this.#batch(plain, sync);
      else if (sync) await this.#barrier();
    });
  }

  flush(): Promise<void> {
    return this.#inTurn(() => this.#barrier());
  }

  purge(): Promise<void> {
    return this.#inTurn(() => {
      const [lowest, highest] = [Buffer.of(0), Buffer.alloc(64, 0xff)];
      return promisify(this.#db.compactRange.bind(this.#db))(lowest, highest);
    });
  }

  snapshot(): KvDriverSnapshot {
    return new IteratorSnapshot(this.#db.iterator({}));
  }

  async close(): Promise<void> {
    await promisify(this.#db.close.bind(this.#db))();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#lastWrite.then(work);
    this.#lastWrite = turn.catch(() => {}); // whoever awaits the turn gets its failure
    return turn;
  }

  /** A synced write makes every earlier one durable; deleting the lowest key, never used, changes nothing. */
  #barrier(): Promise<void> {
    return this.#batch([{ type: 'del', key: Buffer.of(0) }], true);
  }

  #batch(operations: BatchOperation[], sync: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#db.batch(operations, { sync }, (error) => (error ? reject(error) : resolve()));
    });
  }

  async #withoutRanges(operations: readonly KvOperation[]): Promise<BatchOperation[]> {
    const plain: BatchOperation[] = [];
    for (const operation of operations) {
      if (operation.type === 'put') {
        plain.push({
          type: 'put',
          key: asBuffer(operation.key),
          value: asBuffer(operation.value),
        });
      } else if (operation.type === 'delete') {
        plain.push({ type: 'del', key: asBuffer(operation.key) });
      } else {
        const [gte, lt] = [asBuffer(operation.gte), asBuffer(operation.lt)];
        const earlier = plain.filter(({ key }) => gte.compare(key) <= 0 && lt.compare(key) > 0);
        const stored = gte.compare(lt) < 0 ? await this.#keys(gte, lt) : [];
        for (const key of [...stored, ...earlier.map((put) => put.key)]) {
          plain.push({ type: 'del', key });
        }
      }
    }
    return plain;
  }

  async #keys(gte: Buffer, lt: Buffer): Promise<Buffer[]> {
    const iterator = this.#db.iterator({ gte, lt });
    try {
      const entries = await nextEntries(iterator, Number.POSITIVE_INFINITY);
      return entries.map(([key]) => asBuffer(key));
    } finally {
      await end(iterator);
    }
  }
}

class IteratorPages implements KvPages {
  readonly #iterator: RocksIterator;
  readonly #pageSize: number;
  #closing: Promise<void> | null = null;

  constructor(db: RocksDB, range: KvDriverRange) {
    const { gte, lt, reverse, limit } = range;
    this.#iterator = db.iterator({
      ...(gte && { gte: asBuffer(gte) }),
      ...(lt && { lt: asBuffer(lt) }),
      reverse,
      limit: Number.isFinite(limit) ? limit : -1,
    });
    this.#pageSize = range.pageSize;
  }

  next(): Promise<readonly KvEntry[]> {
    return nextEntries(this.#iterator, this.#pageSize);
  }

  close(): Promise<void> {
    this.#closing ??= end(this.#iterator);
    return this.#closing;
  }
}

/** Reads take turns on the one iterator; each seeks first, so none disturbs another. */
class IteratorSnapshot implements KvDriverSnapshot {
  readonly #iterator: RocksIterator;
  #lastRead: Promise<unknown> = Promise.resolve();

  constructor(iterator: RocksIterator) {
    this.#iterator = iterator;
  }

  readMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#inTurn(async () => {
      const values: (Uint8Array | undefined)[] = [];
      for (const key of keys) {
        this.#iterator.seek(asBuffer(key));
        const [entry] = await nextEntries(this.#iterator, 1);
        values.push(entry && Buffer.compare(entry[0], key) === 0 ? entry[1] : undefined);
      }
      return values;
    });
  }

  pages(range: KvDriverRange): KvPages {
    let left = range.limit;
    let gte: Uint8Array = range.gte ?? Buffer.of(0);
    let reversed: Promise<KvEntry[]> | null = null;
    const forward = async (): Promise<KvEntry[]> => {
      const page = await this.#page(gte, range.lt, Math.min(range.pageSize, left));
      const last = page.at(-1);
      if (last !== undefined) gte = Buffer.concat([last[0], Buffer.of(0)]);
      return page;
    };
    const backward = async (): Promise<KvEntry[]> => {
      reversed ??= this.#page(gte, range.lt, Number.POSITIVE_INFINITY);
      const entries = await reversed;
      return entries.splice(-Math.min(range.pageSize, left)).reverse();
    };
    return {
      next: async () => {
        if (left <= 0) return [];
        const page = await (range.reverse ? backward() : forward());
        left -= page.length;
        return page;
      },
      close: async () => {
        left = 0;
      },
    };
  }

  async close(): Promise<void> {
    await this.#inTurn(() => end(this.#iterator));
  }

  #page(gte: Uint8Array, lt: Uint8Array | null, count: number): Promise<KvEntry[]> {
    return this.#inTurn(async () => {
      this.#iterator.seek(asBuffer(gte));
      return nextEntries(this.#iterator, count, lt);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastRead.then(work);
    this.#lastRead = turn.catch(() => {}); // whoever awaits the turn gets its failure
    return turn;
  }
}

/** Up to `count` entries below `lt`; the package hands them over one callback each. */
function nextEntries(
  iterator: RocksIterator,
  count: number,
  lt: Uint8Array | null = null,
): Promise<KvEntry[]> {
  return new Promise((resolve, reject) => {
    const entries: KvEntry[] = [];
    const take = (): void => {
      iterator.next((error, key, value) => {
        if (error) return reject(error);
        if (key === undefined || value === undefined) return resolve(entries);
        if (lt !== null && Buffer.compare(key, lt) >= 0) return resolve(entries);
        entries.push([key, value]);
        if (entries.length >= count) resolve(entries);
        else take();
      });
    };
    take();
  });
}

function end(iterator: RocksIterator): Promise<void> {
  return new Promise((resolve, reject) => {
    iterator.end((error) => (error ? reject(error) : resolve()));
  });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

import type RocksDB from 'rocksdb-native';
import type { EntryStream } from 'rocksdb-native';
import { FreshetError } from '../errors.ts';
import type { KvDriver, KvDriverRange, KvDriverSnapshot, KvPages } from './kv-driver.ts';
import type { KvEntry, KvOperation } from './kv-store.ts';
import type { StoreFolder } from './store-folder.ts';

/** Batches go through the default column family only: the binding's public batches know no other. */
export async function openRocksdbNativeDriver(folder: StoreFolder): Promise<KvDriver> {
  const Binding = await loadBinding();
  const { path, readOnly } = folder;
  const db = new Binding(path, { readOnly, createIfMissing: !readOnly });
  await db.ready();
  return new RocksdbNativeDriver(db, readOnly);
}

async function loadBinding(): Promise<typeof RocksDB> {
  try {
    return (await import('rocksdb-native')).default;
  } catch (cause) {
    throw new FreshetError('BINDING_UNSUPPORTED', `rocksdb-native cannot be loaded: ${cause}`, {
      cause,
      next: 'It needs glibc 2.34 or newer with libatomic on Linux, or macOS or Windows, on x64 or arm64.',
    });
  }
}

class RocksdbNativeDriver implements KvDriver {
  readonly #db: RocksDB;
  readonly #readOnly: boolean;
  #unflushed = false;

  constructor(db: RocksDB, readOnly: boolean) {
    this.#db = db;
    this.#readOnly = readOnly;
  }

  readMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return readMany(this.#db, keys);
  }

  pages(range: KvDriverRange): KvPages {
    return new StreamPages(this.#db, range);
  }

  /** The binding has no synced write: the flush barrier makes the batch durable. */
  async write(operations: readonly KvOperation[], sync: boolean): Promise<void> {
    const batch = this.#db.write({ capacity: operations.length, autoDestroy: true });
    for (const operation of operations) {
      if (operation.type === 'put') batch.tryPut(operation.key, operation.value);
      else if (operation.type === 'delete') batch.tryDelete(operation.key);
      else if (Buffer.compare(operation.gte, operation.lt) < 0) {
        batch.tryDeleteRange(operation.gte, operation.lt);
      }
    }
    await batch.flush();
    this.#unflushed = true;
    if (sync) await this.flush();
  }

  async flush(): Promise<void> {
    if (!this.#unflushed) return;
    this.#unflushed = false;
    try {
      await this.#db.flush();
    } catch (thrown) {
      this.#unflushed = true;
      throw thrown;
    }
  }

  async purge(): Promise<void> {
    await this.#db.flush();
    const options = { exclusive: true, bottommostLevelCompaction: FORCE };
    await this.#db.compactRange(null, null, options);
  }

  snapshot(): KvDriverSnapshot {
    const session = this.#db.snapshot();
    return {
      readMany: (keys) => readMany(session, keys),
      pages: (range) => new StreamPages(session, range),
      close: () => session.close(),
    };
  }

  /** Flushes first: opening again is then 20 times faster, for there is no WAL to replay. */
  async close(): Promise<void> {
    try {
      if (!this.#readOnly) await this.flush();
    } finally {
      await this.#db.close();
    }
  }
}

/** RocksDB's number for: rewrite the lowest level, too. */
const FORCE = 2;

/** One native read for all keys. */
async function readMany(
  db: RocksDB,
  keys: readonly Uint8Array[],
): Promise<(Uint8Array | undefined)[]> {
  const batch = db.read({ capacity: keys.length, autoDestroy: true });
  const values = Promise.all(keys.map((key) => batch.get(key)));
  batch.tryFlush();
  return (await values).map((value) => value ?? undefined);
}

/** Takes what the binding read in one go as one page; it reads the next one meanwhile. */
class StreamPages implements KvPages {
  readonly #stream: EntryStream;
  readonly #pageSize: number;
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;
  readonly #closed: Promise<void>;

  constructor(db: RocksDB, range: KvDriverRange) {
    const { gte, lt, reverse, limit, pageSize } = range;
    const bounds = { ...(gte && { gte }), ...(lt && { lt }) };
    this.#pageSize = pageSize;
    this.#stream = db.iterator({ ...bounds, reverse, limit, capacity: pageSize });
    const wake = (): void => this.#wake?.();
    this.#stream.on('readable', wake);
    this.#stream.on('error', (error) => {
      this.#error = error;
    });
    this.#stream.on('end', () => {
      this.#ended = true;
      wake();
    });
    this.#closed = new Promise((resolve) => {
      this.#stream.on('close', () => {
        this.#ended = true;
        wake();
        resolve();
      });
    });
  }

  async next(): Promise<readonly KvEntry[]> {
    const page: KvEntry[] = [];
    for (;;) {
      while (page.length < this.#pageSize) {
        const entry = this.#stream.read();
        if (entry === null) break;
        page.push([entry.key, entry.value]);
      }
      if (this.#error !== null) throw this.#error;
      if (page.length > 0 || this.#ended) return page;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  async close(): Promise<void> {
    this.#stream.destroy();
    await this.#closed;
  }
}

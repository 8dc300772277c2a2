import { assert } from '../core/assert.ts';
import { Gate } from './gate.ts';
import type {
  KvDriver,
  KvDriverRange,
  KvDriverReader,
  KvDriverSnapshot,
  KvPages,
} from './kv-driver.ts';
import type { KvBatch, KvEntry, KvRange, KvSnapshot, KvStore, KvWriteOptions } from './kv-store.ts';
import { storeFailure } from './store-failure.ts';

const PAGE_ENTRIES = 1_000;

/**
 * A store over a driver: what is the same for all bindings. It owns the life of everything opened
 * from it: close waits for calls under way, ends scans and closes snapshots.
 */
export class DrivenStore implements KvStore {
  readonly #driver: KvDriver;
  readonly #readOnly: boolean;
  readonly #gate = new Gate('the store');
  readonly #scans = new Set<KvPages>();
  readonly #snapshots = new Set<DrivenSnapshot>();
  #closing: Promise<void> | null = null;

  constructor(driver: KvDriver, readOnly: boolean) {
    this.#driver = driver;
    this.#readOnly = readOnly;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return readOne(this.#gate, this.#driver, key);
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return readMany(this.#gate, this.#driver, keys);
  }

  scan(range: KvRange): AsyncIterable<readonly KvEntry[]> {
    return scanPages(this.#gate, this.#driver, range, this.#scans);
  }

  async write(batch: KvBatch, options?: KvWriteOptions): Promise<void> {
    assert(!this.#readOnly, 'a store that was opened read-only is not written');
    const sync = options?.sync ?? false;
    await this.#gate.pass(async () => {
      if (batch.size > 0) await this.#driver.write(batch.operations, sync);
      else if (sync) await this.#driver.flush();
    });
  }

  snapshot(): KvSnapshot {
    this.#gate.check();
    const gone = (): void => void this.#snapshots.delete(snapshot);
    const snapshot = new DrivenSnapshot(this.#driver.snapshot(), this.#gate, gone);
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  async flush(): Promise<void> {
    await this.#gate.pass(async () => {
      if (!this.#readOnly) await this.#driver.flush();
    });
  }

  async purge(): Promise<void> {
    assert(!this.#readOnly, 'a store that was opened read-only is not written');
    await this.#gate.pass(() => this.#driver.purge());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#gate.shut();
    await closeAll(this.#scans);
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
    try {
      await this.#driver.close();
    } catch (thrown) {
      throw storeFailure(thrown);
    }
  }
}

class DrivenSnapshot implements KvSnapshot {
  readonly #driver: KvDriverSnapshot;
  readonly #gate: Gate;
  readonly #gone: () => void;
  readonly #scans = new Set<KvPages>();
  #closing: Promise<void> | null = null;

  constructor(driver: KvDriverSnapshot, store: Gate, gone: () => void) {
    this.#driver = driver;
    this.#gate = new Gate('the snapshot', store);
    this.#gone = gone;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return readOne(this.#gate, this.#driver, key);
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return readMany(this.#gate, this.#driver, keys);
  }

  scan(range: KvRange): AsyncIterable<readonly KvEntry[]> {
    return scanPages(this.#gate, this.#driver, range, this.#scans);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#gate.shut();
    await closeAll(this.#scans);
    await this.#driver.close();
    this.#gone();
  }
}

async function readOne(
  gate: Gate,
  driver: KvDriverReader,
  key: Uint8Array,
): Promise<Uint8Array | undefined> {
  const [value] = await gate.pass(() => driver.readMany([key]));
  return value;
}

async function readMany(
  gate: Gate,
  driver: KvDriverReader,
  keys: readonly Uint8Array[],
): Promise<(Uint8Array | undefined)[]> {
  return gate.pass(async () => (keys.length === 0 ? [] : driver.readMany(keys)));
}

async function* scanPages(
  gate: Gate,
  driver: KvDriverReader,
  asked: KvRange,
  scans: Set<KvPages>,
): AsyncGenerator<readonly KvEntry[], void, void> {
  gate.check();
  const range = driverRange(asked);
  if (range === null) return;
  const pages = driver.pages(range);
  scans.add(pages);
  try {
    for (;;) {
      const page = await gate.pass(() => pages.next());
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    scans.delete(pages);
    await pages.close();
  }
}

function driverRange(range: KvRange): KvDriverRange | null {
  const { gte = null, lt = null, reverse = false, limit = Number.POSITIVE_INFINITY } = range;
  if (limit <= 0 || lt?.length === 0) return null;
  if (gte !== null && lt !== null && Buffer.compare(gte, lt) >= 0) return null;
  const pageSize = Math.max(1, Math.min(range.pageSize ?? PAGE_ENTRIES, limit));
  return { gte, lt, reverse, limit, pageSize };
}

async function closeAll(scans: ReadonlySet<KvPages>): Promise<void> {
  for (const pages of [...scans]) await pages.close();
}

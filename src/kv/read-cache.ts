import type { KvBatch, KvOperation, KvReader, KvStore, KvWriteOptions } from './kv-store.ts';

/** Of a cached entry beside its key and its value: the map's slot, two objects, their headers. */
const ENTRY_BYTES = 160;
/** After so many writes have come between, a read no longer looks into the cache. */
const ATTEMPTS_MAX = 2;

type Value = Uint8Array | undefined;

interface PendingRead {
  readonly key: Uint8Array;
  readonly text: string;
  resolve(value: Value): void;
  reject(thrown: unknown): void;
}

/**
 * A cache of values by key in front of a store: bounded in bytes, written through, and consistent:
 * the keys of one read are seen as they were at one moment. Reads of one turn of the event loop that
 * miss go to the store together.
 *
 * All writes must go through `store`. While a write is under way, reads go past the cache, since the
 * store may show a part of a read before the write and the cache another behind it.
 */
export class ReadCache implements Pick<KvReader, 'getMany'> {
  /** The store, whose writes the cache follows. */
  readonly store: KvStore;
  readonly #kv: KvStore;
  readonly #bytesMax: number;
  /** In the order of their last use. */
  readonly #values = new Map<string, Value>();
  #bytes = 0;
  #writing = 0;
  /** Rises when a write begins and when it ends. */
  #epoch = 0;
  #pending: PendingRead[] = [];

  constructor(kv: KvStore, bytesMax: number) {
    this.#kv = kv;
    this.#bytesMax = bytesMax;
    this.store = {
      get: (key) => kv.get(key),
      getMany: (keys) => kv.getMany(keys),
      scan: (range) => kv.scan(range),
      write: (batch, options) => this.#write(batch, options),
      snapshot: () => kv.snapshot(),
      flush: () => kv.flush(),
      purge: () => kv.purge(),
      close: () => kv.close(),
      [Symbol.asyncDispose]: () => kv.close(),
    };
  }

  /** Bytes of what is cached, with what it costs to keep it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Values in the order of the keys; an array that is handed out must not be changed. */
  async getMany(keys: readonly Uint8Array[]): Promise<Value[]> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX && this.#writing === 0; attempt++) {
      const values = this.#readCached(keys);
      if (!(values instanceof Promise)) return values;
      const found = await values;
      if (found !== null) return found;
    }
    return this.#kv.getMany(keys);
  }

  /** Values, or a promise of them; it gives null when a write came between the cache and the store. */
  #readCached(keys: readonly Uint8Array[]): Value[] | Promise<Value[] | null> {
    const values = new Array<Value>(keys.length);
    const misses: number[] = [];
    const texts: string[] = [];
    for (let i = 0; i < keys.length; i++) {
      const text = textOf(keys[i] as Uint8Array);
      const value = this.#values.get(text);
      if (value === undefined && !this.#values.has(text)) {
        misses.push(i);
        texts.push(text);
        continue;
      }
      this.#values.delete(text);
      this.#values.set(text, value);
      values[i] = value;
    }
    return misses.length === 0 ? values : this.#fill(keys, values, misses, texts);
  }

  async #fill(
    keys: readonly Uint8Array[],
    values: Value[],
    misses: readonly number[],
    texts: readonly string[],
  ): Promise<Value[] | null> {
    const epoch = this.#epoch;
    const read = await Promise.all(
      misses.map((i, m) => this.#readTogether(keys[i] as Uint8Array, texts[m] as string)),
    );
    const isSame = epoch === this.#epoch;
    // What the store alone has read is of one moment in any case.
    if (!isSame && misses.length < keys.length) return null;
    for (const [m, i] of misses.entries()) {
      values[i] = read[m];
      if (isSame) this.#put(texts[m] as string, read[m]);
    }
    return values;
  }

  #readTogether(key: Uint8Array, text: string): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) queueMicrotask(() => void this.#readPending());
      this.#pending.push({ key, text, resolve, reject });
    });
  }

  async #readPending(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    const places = new Map<string, number>();
    const keys: Uint8Array[] = [];
    for (const { key, text } of pending) {
      if (places.has(text)) continue;
      places.set(text, keys.length);
      keys.push(key);
    }
    try {
      const values = await this.#kv.getMany(keys);
      for (const { text, resolve } of pending) resolve(values[places.get(text) as number]);
    } catch (thrown) {
      for (const { reject } of pending) reject(thrown);
    }
  }

  #put(text: string, value: Value): void {
    if (this.#values.has(text)) this.#forget(text);
    this.#values.set(text, value);
    this.#bytes += sizeOf(text, value);
    for (const oldest of this.#values.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#forget(oldest);
    }
  }

  #forget(text: string): void {
    const value = this.#values.get(text);
    if (this.#values.delete(text)) this.#bytes -= sizeOf(text, value);
  }

  async #write(batch: KvBatch, options?: KvWriteOptions): Promise<void> {
    const epoch = ++this.#epoch;
    this.#writing++;
    let isKnown = false;
    try {
      await this.#kv.write(batch, options);
      // Of writes under way together, which one a key has last is the store's to know.
      isKnown = this.#epoch === epoch && this.#writing === 1;
    } finally {
      this.#writing--;
      this.#epoch++;
      if (this.#values.size > 0) this.#follow(batch.operations, isKnown);
    }
  }

  /** What is cached becomes what was written, or is read again where that is not known. */
  #follow(operations: readonly KvOperation[], isKnown: boolean): void {
    for (const operation of operations) {
      if (operation.type === 'deleteRange') {
        const [from, to] = [textOf(operation.gte), textOf(operation.lt)];
        for (const text of this.#values.keys()) {
          if (text >= from && text < to) this.#forget(text);
        }
        continue;
      }
      const text = textOf(operation.key);
      if (!this.#values.has(text)) continue;
      if (!isKnown) this.#forget(text);
      // A copy: once the write has resolved, the array is the caller's again.
      else this.#put(text, operation.type === 'put' ? operation.value.slice() : undefined);
    }
  }
}

/** One unit of text a byte: texts order as the bytes do. */
function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1');
}

function sizeOf(text: string, value: Value): number {
  return ENTRY_BYTES + text.length + (value?.byteLength ?? 0);
}

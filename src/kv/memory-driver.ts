import type { KvDriver, KvDriverRange, KvDriverSnapshot, KvPages } from './kv-driver.ts';
import type { KvEntry, KvOperation } from './kv-store.ts';
import { SortedMap } from './sorted-map.ts';

/** Keeps everything in this process and nothing after it; snapshots cost nothing. */
export class MemoryDriver implements KvDriver {
  #map = SortedMap.empty;

  async readMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return readMap(this.#map, keys);
  }

  pages(range: KvDriverRange): KvPages {
    return new MapPages(this.#map, range);
  }

  async write(operations: readonly KvOperation[]): Promise<void> {
    this.#map = this.#map.apply(operations);
  }

  async flush(): Promise<void> {}

  async purge(): Promise<void> {}

  snapshot(): KvDriverSnapshot {
    const map = this.#map;
    return {
      readMany: async (keys) => readMap(map, keys),
      pages: (range) => new MapPages(map, range),
      close: async () => {},
    };
  }

  async close(): Promise<void> {
    this.#map = SortedMap.empty;
  }
}

class MapPages implements KvPages {
  readonly #entries: Iterator<KvEntry>;
  readonly #pageSize: number;
  #left: number;

  constructor(map: SortedMap, range: KvDriverRange) {
    this.#entries = map.entries(range.gte, range.lt, range.reverse);
    this.#pageSize = range.pageSize;
    this.#left = range.limit;
  }

  async next(): Promise<readonly KvEntry[]> {
    const page: KvEntry[] = [];
    while (page.length < this.#pageSize && this.#left > 0) {
      const { value, done } = this.#entries.next();
      if (done) break;
      page.push(value);
      this.#left--;
    }
    return page;
  }

  async close(): Promise<void> {
    this.#left = 0;
  }
}

function readMap(map: SortedMap, keys: readonly Uint8Array[]): (Uint8Array | undefined)[] {
  return keys.map((key) => map.get(key));
}

import type { KvEntry, KvOperation, KvRange } from '../../src/kv/index.ts';

/** A key-value store that could not be simpler: a list that is sorted at every question. */
export class NaiveKvStore {
  #entries: readonly KvEntry[] = [];

  apply(operations: readonly KvOperation[]): void {
    for (const operation of operations) {
      const covers = (key: Uint8Array): boolean =>
        operation.type === 'deleteRange'
          ? compare(key, operation.gte) >= 0 && compare(key, operation.lt) < 0
          : compare(key, operation.key) === 0;
      this.#entries = this.#entries.filter(([key]) => !covers(key));
      if (operation.type === 'put') {
        this.#entries = [...this.#entries, [operation.key, operation.value]];
      }
    }
  }

  copy(): NaiveKvStore {
    const copy = new NaiveKvStore();
    copy.#entries = this.#entries;
    return copy;
  }

  get(wanted: Uint8Array): Uint8Array | undefined {
    return this.#entries.find(([key]) => compare(key, wanted) === 0)?.[1];
  }

  scan(range: KvRange): KvEntry[] {
    const inRange = this.#entries
      .filter(([key]) => range.gte === undefined || compare(key, range.gte) >= 0)
      .filter(([key]) => range.lt === undefined || compare(key, range.lt) < 0)
      .toSorted(([a], [b]) => compare(a, b));
    return (range.reverse ? inRange.reverse() : inRange).slice(0, range.limit);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  }
  return a.length - b.length;
}

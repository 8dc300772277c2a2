import type { KvEntry, KvOperation } from './kv-store.ts';

/**
 * What a binding has to bring. `DrivenStore` makes a `KvStore` of it: a driver is never called after
 * its close, with an empty range, or for writing when it was opened read-only. Failures are the
 * binding's own; `DrivenStore` gives them codes.
 */
export interface KvDriver extends KvDriverReader {
  write(operations: readonly KvOperation[], sync: boolean): Promise<void>;
  flush(): Promise<void>;
  purge(): Promise<void>;
  snapshot(): KvDriverSnapshot;
  close(): Promise<void>;
}

export interface KvDriverReader {
  readMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  pages(range: KvDriverRange): KvPages;
}

export interface KvDriverSnapshot extends KvDriverReader {
  close(): Promise<void>;
}

export interface KvPages {
  /** The next page; an empty one is the end. */
  next(): Promise<readonly KvEntry[]>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A range that is not empty, with every default filled in. */
export interface KvDriverRange {
  readonly gte: Uint8Array | null;
  readonly lt: Uint8Array | null;
  readonly reverse: boolean;
  /** 1 or more; Infinity for no limit. */
  readonly limit: number;
  readonly pageSize: number;
}

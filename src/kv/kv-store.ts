/**
 * An ordered key-value store: atomic batches, ranges, snapshots and a durable barrier. Keys have at
 * least one byte and order as unsigned bytes; values may be empty. One process writes; another may
 * open the same folder read-only and sees it as it was when it opened. Arrays that are handed in
 * must not change until the call has resolved; arrays that are handed out must not be changed.
 *
 * Every implementation passes `test/contract/kv-store.ts`.
 */
export interface KvStore extends KvReader, AsyncDisposable {
  /** Applies all of the batch or none of it; visible to reads once resolved. */
  write(batch: KvBatch, options?: KvWriteOptions): Promise<void>;
  /** A view that later writes do not change; close it. */
  snapshot(): KvSnapshot;
  /** Everything written before is durable against power loss once resolved. */
  flush(): Promise<void>;
  /** Rewrites the files, so that none of them holds what was deleted or replaced before. */
  purge(): Promise<void>;
  /** Idempotent; waits for reads and writes under way. Use after close: STORE_CLOSED. */
  close(): Promise<void>;
}

export interface KvReader {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Values in the order of the keys; duplicates and missing keys kept. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /**
   * Entries in key order, in pages, so that no promise is paid per entry. A scan sees the store as
   * it was when its first page was asked for; closing the store ends it.
   */
  scan(range: KvRange): AsyncIterable<readonly KvEntry[]>;
}

export interface KvSnapshot extends KvReader, AsyncDisposable {
  close(): Promise<void>;
}

export type KvEntry = readonly [key: Uint8Array, value: Uint8Array];

export interface KvRange {
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  /** Default false. */
  readonly reverse?: boolean;
  /** Default: no limit. */
  readonly limit?: number;
  /** Entries a page, default 1,000. */
  readonly pageSize?: number;
}

export interface KvWriteOptions {
  /** Durable against power loss once resolved. Default false. */
  readonly sync?: boolean;
}

/** `rocksdb` needs the optional package of that name and Node 20; `memory` keeps nothing. */
export type KvBinding = 'rocksdb-native' | 'rocksdb' | 'memory';

export interface KvOpenOptions {
  /** Default `rocksdb-native`. */
  readonly binding?: KvBinding;
  /** The folder of the store; not used by `memory`. */
  readonly path: string;
  /** Default false: the folder is made if it is not there, and locked. */
  readonly readOnly?: boolean;
}

/** Operations applied in order; a later one on the same key wins. */
export class KvBatch {
  readonly operations: KvOperation[] = [];

  get size(): number {
    return this.operations.length;
  }

  put(key: Uint8Array, value: Uint8Array): this {
    this.operations.push({ type: 'put', key, value });
    return this;
  }

  delete(key: Uint8Array): this {
    this.operations.push({ type: 'delete', key });
    return this;
  }

  /** Deletes `gte <= key < lt`. */
  deleteRange(gte: Uint8Array, lt: Uint8Array): this {
    this.operations.push({ type: 'deleteRange', gte, lt });
    return this;
  }
}

export type KvOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array }
  | { readonly type: 'deleteRange'; readonly gte: Uint8Array; readonly lt: Uint8Array };

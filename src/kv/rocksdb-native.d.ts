/** The part of rocksdb-native 3 that Freshet uses; the package brings no types. */
declare module 'rocksdb-native' {
  class RocksDB {
    constructor(path: string, options?: { readOnly?: boolean; createIfMissing?: boolean });
    ready(): Promise<void>;
    /** A session that sees the store as it is now. */
    snapshot(): RocksDB;
    read(options: { capacity: number; autoDestroy: boolean }): ReadBatch;
    write(options: { capacity: number; autoDestroy: boolean }): WriteBatch;
    iterator(range: IteratorRange): EntryStream;
    /** Writes the memtable to a file and syncs it: durable against power loss. */
    flush(): Promise<void>;
    compactRange(
      start: Uint8Array | null,
      end: Uint8Array | null,
      options: { exclusive: boolean; bottommostLevelCompaction: number },
    ): Promise<void>;
    close(): Promise<void>;
  }

  export interface ReadBatch {
    get(key: Uint8Array): Promise<Buffer | null>;
    /** Sends the gets; their promises tell what came of it. */
    tryFlush(): void;
  }

  export interface WriteBatch {
    tryPut(key: Uint8Array, value: Uint8Array): void;
    tryDelete(key: Uint8Array): void;
    tryDeleteRange(gte: Uint8Array, lt: Uint8Array): void;
    flush(): Promise<void>;
  }

  export interface IteratorRange {
    gte?: Uint8Array;
    lt?: Uint8Array;
    reverse: boolean;
    limit: number;
    /** Entries of one native read. */
    capacity: number;
  }

  /** A streamx Readable of entries. */
  export interface EntryStream {
    /** An entry that has already been read; null when there is none, or no more. */
    read(): { key: Buffer; value: Buffer } | null;
    on(event: 'readable' | 'end' | 'close', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    destroy(): void;
  }

  export default RocksDB;
}

/** The part of rocksdb 5 (an abstract-leveldown store) that Freshet uses; keys and values are Buffers. */
declare module 'rocksdb' {
  type Callback = (error?: Error | null) => void;

  export interface RocksDB {
    open(options: { createIfMissing: boolean; readOnly: boolean }, callback: Callback): void;
    getMany(
      keys: Buffer[],
      callback: (error: Error | null, values: (Buffer | undefined)[]) => void,
    ): void;
    batch(operations: BatchOperation[], options: { sync: boolean }, callback: Callback): void;
    iterator(range: IteratorRange): RocksIterator;
    compactRange(start: Buffer, end: Buffer, callback: Callback): void;
    close(callback: Callback): void;
  }

  export type BatchOperation =
    | { type: 'put'; key: Buffer; value: Buffer }
    | { type: 'del'; key: Buffer };

  export interface IteratorRange {
    gte?: Buffer;
    lt?: Buffer;
    reverse?: boolean;
    limit?: number;
  }

  /** Sees the store as it was when it was made. */
  export interface RocksIterator {
    seek(target: Buffer): void;
    /** Without a key at the end. */
    next(callback: (error: Error | null | undefined, key?: Buffer, value?: Buffer) => void): void;
    end(callback: Callback): void;
  }

  export default function rocksdb(path: string): RocksDB;
}

/**
 * The disk as the segments see it, injected so that tests can make each step fail. Failures are
 * Node's: errors with a `code` such as ENOSPC.
 */
export interface FileSystem {
  /** With its parents; durable in the parent once resolved. */
  makeDirectory(directory: string): Promise<void>;
  /** Names in a folder, sorted; empty when there is no such folder, or a file in its place. */
  list(directory: string): Promise<string[]>;
  sizeBytes(file: string): Promise<number>;
  /** Replaces the target. */
  rename(from: string, to: string): Promise<void>;
  /** A file that is not there is no failure. */
  remove(file: string): Promise<void>;
  /** The file's bytes are durable once resolved. */
  syncFile(file: string): Promise<void>;
  /** The names in the folder are durable once resolved. */
  syncDirectory(directory: string): Promise<void>;
}

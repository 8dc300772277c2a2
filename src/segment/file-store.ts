/**
 * Where the files of segments lie, by name: `folder/name`, with forward slashes. A file is whole and
 * durable under its name, or not there; a name that was written stays what it is until it is removed.
 * Which files count is for the manifest to say; this knows nothing of what is in them.
 *
 * The contract is one that an object store can keep: no rename, no append, no folder that must be
 * there (`docs/adr/0011-files-of-segments-are-behind-a-contract.md`). Every implementation passes
 * `test/contract/file-store.ts`; the one there is keeps files in a local folder (`local-files.ts`).
 */
export interface FileStore extends FilePaths {
  /**
   * Puts a file under a name, whole and durable once resolved; one of that name is replaced. `fill`
   * writes it to a local path that nothing else uses. When it throws, or the store does, the name is
   * what it was, and trying again is safe. Answers with the size of the file.
   * @throws what `fill` throws; FreshetError DISK_FULL, DISK_FAILED naming the file
   */
  write(name: string, fill: (path: string) => Promise<void>): Promise<number>;
  /** Names of whole files, sorted; none where nothing was written yet. */
  list(): Promise<string[]>;
  /** @throws FreshetError DISK_FAILED, also for a file that is not there */
  sizeBytes(name: string): Promise<number>;
  /** One that is not there is no failure. @throws FreshetError DISK_FAILED */
  remove(names: readonly string[]): Promise<void>;
  /**
   * Removes what writes left that a stop of the process cut short, of names for which `isOurs`;
   * answers with what it removed. Nothing may be writing. @throws FreshetError DISK_FAILED
   */
  removeUnfinished(isOurs: (name: string) => boolean): Promise<string[]>;
}

/** How a reader gets at files: all that a query needs. */
export interface FilePaths {
  /**
   * What DuckDB reads the file of a name by, a path or a URL; asked of names in the manifest, without
   * looking whether the file is there. Equal for equal names as long as the store is open.
   */
  pathOf(name: string): string;
}

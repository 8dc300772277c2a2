import { join, resolve } from 'node:path';
import type { Config } from '../config/index.ts';
import type { ParquetSource } from '../definition/index.ts';

export interface BackfillFolders {
  /** Of the source: its history. */
  readonly folder: string;
  /** What was loaded for the online store alone: parts as in history, of files that are not there. */
  readonly onlineFolder: string;
  readonly badFolder: string;
}

/** Where backfills of a source keep what they load, and the rows that they set aside. */
export function backfillFolders(
  { name, path }: ParquetSource,
  { repoDir, offlineStore }: Config,
): BackfillFolders {
  const own = join(offlineStore.path, '..', 'backfill', name);
  return { folder: resolve(repoDir, path), onlineFolder: join(own, 'online'), badFolder: own };
}

import { join, resolve } from 'node:path';
import type { Config } from '../config/index.ts';
import type { ParquetSource } from '../definition/index.ts';

/** Where backfills of a source keep what they load, and the rows that they set aside. */
export function backfillFolders(
  { name, path }: ParquetSource,
  { repoDir, offlineStore }: Config,
): { readonly folder: string; readonly badFolder: string } {
  return {
    folder: resolve(repoDir, path),
    badFolder: join(offlineStore.path, '..', 'backfill', name),
  };
}

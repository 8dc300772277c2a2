import { dirname, join } from 'node:path';
import type { FileSystem } from '../core/fs.ts';
import { toDiskError } from './disk-error.ts';
import type { FileStore } from './file-store.ts';
import { nodeFileSystem } from './node-fs.ts';

const TEMPORARY_SUFFIX = '.tmp';

/**
 * Files in a local folder, each at its name. A write is:
 *   1. fill a file with a temporary name (DuckDB's COPY is neither atomic nor durable)
 *   2. fsync the file
 *   3. rename it to its own name
 *   4. fsync the folder
 * After a failure at any step the temporary file is removed.
 */
export function localFiles(directory: string, fs: FileSystem = nodeFileSystem): FileStore {
  const pathOf = (name: string): string => join(directory, name);
  const guarded = async <T>(name: string, work: () => Promise<T>): Promise<T> =>
    work().catch((thrown) => {
      throw toDiskError(thrown, pathOf(name));
    });
  return {
    pathOf,
    async write(name, fill) {
      const file = pathOf(name);
      const temporary = `${file}${TEMPORARY_SUFFIX}`;
      try {
        await fs.makeDirectory(dirname(file));
        await fill(temporary); // 1
        const bytes = await fs.sizeBytes(temporary);
        await fs.syncFile(temporary); // 2
        await fs.rename(temporary, file); // 3
        await fs.syncDirectory(dirname(file)); // 4
        return bytes;
      } catch (thrown) {
        // What cannot be removed now is swept at the next start; the first failure is the one to tell.
        await fs.remove(temporary).catch(() => undefined);
        throw toDiskError(thrown, file);
      }
    },
    list: () =>
      guarded('', async () => (await names(fs, directory)).filter((name) => !isTemporary(name))),
    sizeBytes: (name) => guarded(name, () => fs.sizeBytes(pathOf(name))),
    async remove(files) {
      for (const name of files) await guarded(name, () => fs.remove(pathOf(name)));
    },
    removeUnfinished: (isOurs) =>
      guarded('', async () => {
        const unfinished = (await names(fs, directory))
          .filter(isTemporary)
          .filter((name) => isOurs(name.slice(0, -TEMPORARY_SUFFIX.length)));
        for (const name of unfinished) await fs.remove(pathOf(name));
        return unfinished;
      }),
  };
}

async function names(fs: FileSystem, directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of await fs.list(directory)) {
    const files = await fs.list(join(directory, folder));
    found.push(...files.map((name) => `${folder}/${name}`));
  }
  return found;
}

function isTemporary(name: string): boolean {
  return name.endsWith(TEMPORARY_SUFFIX);
}

import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { FileSystem } from '../core/fs.ts';

export const nodeFileSystem: FileSystem = {
  async makeDirectory(directory) {
    const last = resolve(directory);
    const first = await mkdir(last, { recursive: true });
    if (first === undefined) return;
    for (let made = last; made.length >= first.length; made = dirname(made)) {
      await syncDirectory(dirname(made));
    }
  },

  async list(directory) {
    try {
      return (await readdir(directory)).sort();
    } catch (thrown) {
      if (isNoFolder(thrown)) return [];
      throw thrown;
    }
  },

  async sizeBytes(file) {
    return (await stat(file)).size;
  },

  rename,

  async remove(file) {
    await rm(file, { force: true });
  },

  syncFile: sync,

  syncDirectory,
};

async function syncDirectory(directory: string): Promise<void> {
  // Windows has no handle of a folder to sync; its file system journals names by itself.
  if (process.platform !== 'win32') await sync(directory);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isNoFolder(thrown: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((thrown as NodeJS.ErrnoException).code ?? '');
}

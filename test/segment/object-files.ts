/**
 * Files as an object store keeps them: under keys that say nothing of their names, filled in a place
 * of their own and uploaded whole, listed by an index. Nothing that knows the local layout can pass.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FreshetError, toFreshetError } from '../../src/errors.ts';
import type { FileStore } from '../../src/segment/index.ts';

export function objectFiles(directory: string): FileStore {
  const keyOf = (name: string): string => createHash('sha256').update(name).digest('hex');
  const pathOf = (name: string): string => join(directory, 'objects', keyOf(name));
  const uploads = join(directory, 'uploads');
  return {
    pathOf,
    async write(name, fill) {
      const upload = join(uploads, encodeURIComponent(name));
      try {
        await mkdir(uploads, { recursive: true });
        await mkdir(join(directory, 'objects'), { recursive: true });
        await fill(upload);
        const { size } = await stat(upload);
        await copyFile(upload, pathOf(name)); // an upload is atomic there
        await mkdir(join(directory, 'index', encodeURIComponent(name)), { recursive: true });
        return size;
      } catch (thrown) {
        throw toFreshetError(thrown, 'DISK_FAILED', { file: name });
      } finally {
        await rm(upload, { force: true });
      }
    },
    list: async () => (await decoded(join(directory, 'index'))).sort(),
    async sizeBytes(name) {
      try {
        return (await readFile(pathOf(name))).length;
      } catch (cause) {
        throw new FreshetError('DISK_FAILED', `there is no object ${name}`, { cause });
      }
    },
    async remove(names) {
      for (const name of names) {
        await rm(join(directory, 'index', encodeURIComponent(name)), {
          recursive: true,
          force: true,
        });
        await rm(pathOf(name), { force: true });
      }
    },
    async removeUnfinished(isOurs) {
      const ours = (await decoded(uploads)).filter(isOurs);
      for (const name of ours) await rm(join(uploads, encodeURIComponent(name)));
      return ours;
    },
  };
}

async function decoded(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).map(decodeURIComponent);
}

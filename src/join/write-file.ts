import { createWriteStream } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FileSystem } from '../core/fs.ts';
import { FreshetError } from '../errors.ts';

/**
 * A file that is there whole or not at all: written under another name in the same folder, made
 * durable, then renamed. A file of that name is replaced.
 */
export async function writeWhole(
  fs: FileSystem,
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.tmp`);
  try {
    await fs.makeDirectory(folder);
    await write(temporary);
    await fs.syncFile(temporary);
    await fs.rename(temporary, path);
    await fs.syncDirectory(folder);
  } catch (thrown) {
    await fs.remove(temporary);
    throw toFileError(thrown, path);
  }
}

/** How an answer is copied to Parquet: the same rows have the same bytes. */
export const PARQUET_COPY = 'FORMAT parquet, COMPRESSION zstd';

export async function writeBytes(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await pipeline(Readable.from(bytes), createWriteStream(path));
}

function toFileError(thrown: unknown, path: string): unknown {
  const code = (thrown as NodeJS.ErrnoException).code;
  if (thrown instanceof FreshetError || typeof code !== 'string') return thrown;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new FreshetError(
    isFull ? 'DISK_FULL' : 'DISK_FAILED',
    `${path}: ${(thrown as Error).message}`,
    {
      where: { file: path },
      cause: thrown,
    },
  );
}

import { stat } from 'node:fs/promises';
import { toFreshetError } from '../errors.ts';

/** Another one for a file that was written over. @throws FreshetError DISK_FAILED */
export async function fileMark(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path).catch((thrown) => {
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  });
  return `${size}-${mtimeMs}`;
}

import { FreshetError } from '../errors.ts';

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** What the disk threw as DISK_FULL or DISK_FAILED naming the file; a FreshetError as it is. */
export function toDiskError(thrown: unknown, file: string): FreshetError {
  if (thrown instanceof FreshetError) return thrown;
  const { code, message } = thrown as NodeJS.ErrnoException;
  return new FreshetError(FULL.has(code ?? '') ? 'DISK_FULL' : 'DISK_FAILED', message, {
    where: { file },
    cause: thrown,
  });
}

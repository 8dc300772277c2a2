import { FreshetError } from '../errors.ts';

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/**
 * What the disk threw as DISK_FULL or DISK_FAILED naming the file. A FreshetError stays as it is, but
 * gets the file when it is one of these two: DuckDB does not say which it wrote.
 */
export function toDiskError(thrown: unknown, file: string): FreshetError {
  if (thrown instanceof FreshetError) return withFile(thrown, file);
  const { code, message } = thrown as NodeJS.ErrnoException;
  return new FreshetError(FULL.has(code ?? '') ? 'DISK_FULL' : 'DISK_FAILED', message, {
    where: { file },
    cause: thrown,
  });
}

function withFile(error: FreshetError, file: string): FreshetError {
  const { code, message, where } = error;
  if (!['DISK_FULL', 'DISK_FAILED'].includes(code) || where.file !== undefined) return error;
  return new FreshetError(code, message, { where: { ...where, file }, cause: error });
}

import { AssertionError } from '../core/assert.ts';
import { type ErrorCode, FreshetError } from '../errors.ts';

/**
 * A binding's failure with its code. RocksDB says what happened only in its text, and that text has
 * kept these words since its first releases.
 */
export function storeFailure(thrown: unknown): Error {
  if (thrown instanceof FreshetError || thrown instanceof AssertionError) return thrown;
  const text = failureText(thrown);
  const found = FAILURES.find(([pattern]) => pattern.test(text));
  if (found === undefined) return thrown instanceof Error ? thrown : new Error(text);
  return new FreshetError(found[1], found[2](text), { cause: thrown });
}

/** Whether a folder could not be opened because a writer holds it. */
export function isLockFailure(thrown: unknown): boolean {
  return /\bLOCK: |lock hold by|while lock file/i.test(failureText(thrown));
}

/** Whether a file went away, as it does when a reader opens a folder while its writer compacts. */
export function isMissingFileFailure(thrown: unknown): boolean {
  return /no such file/i.test(failureText(thrown));
}

const FAILURES: readonly (readonly [RegExp, ErrorCode, (text: string) => string])[] = [
  [
    /no space left|ENOSPC|disk quota|EDQUOT/i,
    'DISK_FULL',
    (text) => `the store cannot write: ${text}`,
  ],
  [
    /corrupt|checksum mismatch|bad table magic/i,
    'STORE_CORRUPT',
    (text) => `the store is damaged: ${text}`,
  ],
];

/** The messages of a failure and its causes: rocksdb-native hides RocksDB's own in the cause. */
function failureText(thrown: unknown): string {
  const messages: string[] = [];
  let error = thrown;
  while (error instanceof Error && messages.length < 4) {
    messages.push(error.message);
    error = error instanceof AggregateError ? error.errors.find(Boolean) : error.cause;
  }
  return messages.length > 0 ? messages.join(': ') : String(thrown);
}

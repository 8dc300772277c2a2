import type { ErrorCode } from '../errors.ts';

/** Why one record is not a row. Thrown inside the codec and kept as a reject, never seen outside. */
export class RowError extends Error {
  override readonly name = 'RowError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, reason: string) {
    super(reason);
    this.code = code;
  }
}

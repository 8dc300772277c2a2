import { type ErrorCode, FreshetError } from '../errors.ts';

/** What DuckDB threw, by what can be done about it; the message is its first line. */
export function toDuckdbError(thrown: unknown): FreshetError {
  if (thrown instanceof FreshetError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  for (const [pattern, code] of CODES) {
    if (pattern.test(message)) return new FreshetError(code, describe(message), { cause: thrown });
  }
  return new FreshetError('QUERY_INVALID', describe(message), { cause: thrown });
}

const CODES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/No space left on device|Disk quota exceeded|max_temp_directory_size/i, 'DISK_FULL'],
  [/^Out of Memory Error/, 'QUERY_OUT_OF_MEMORY'],
  [/^Binder Error: (Referenced column|Table .* does not have a column)/, 'COLUMN_MISSING'],
  [/No files found that match/, 'PARQUET_INVALID'],
  [/No magic bytes|too small to be a Parquet file|Invalid Parquet|snappy|ZSTD/i, 'PARQUET_INVALID'],
  [/Conversion Error: /, 'VALUE_TYPE'],
  [/^IO Error/, 'DISK_FAILED'],
];

/** The first line without the error class, and the candidates where DuckDB names some. */
function describe(message: string): string {
  const [first = '', second = ''] = message.split('\n');
  const what = first.replace(/^([A-Z][A-Za-z ]* Error: )+/, '');
  return second.startsWith('Candidate bindings') ? `${what} ${second}` : what;
}

import type { Duckdb } from '../duckdb/index.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/index.ts';
import { FreshetError, toFreshetError } from '../errors.ts';
import { ContentHash } from './content-hash.ts';
import type { FilePaths } from './file-store.ts';
import { readFooter } from './inspect-parquet.ts';
import type { SegmentEntry } from './segment-entry.ts';
import { footerText, SEGMENT_FORMAT, SYSTEM_COLUMNS, storedType } from './segment-layout.ts';

/**
 * Reads the file of an entry and compares format, footer, row count and content hash with it.
 * @throws FreshetError SEGMENT_CORRUPT
 */
export async function verifySegment(
  duckdb: Duckdb,
  files: FilePaths,
  entry: SegmentEntry,
): Promise<void> {
  if (entry.file === null) return;
  const file = files.pathOf(entry.file);
  try {
    const problem =
      (await footerProblem(duckdb, file, entry)) ?? (await contentProblem(duckdb, file, entry));
    if (problem === null) return;
    throw new FreshetError('SEGMENT_CORRUPT', `segment ${entry.file} ${problem}`, {
      where: { file },
    });
  } catch (thrown) {
    const error = toFreshetError(thrown, 'SEGMENT_CORRUPT');
    if (!UNREADABLE.has(error.code)) throw error;
    throw new FreshetError('SEGMENT_CORRUPT', error.message, { where: { file }, cause: thrown });
  }
}

/** What DuckDB reports about a file that is missing or damaged. */
const UNREADABLE: ReadonlySet<string> = new Set([
  'PARQUET_INVALID',
  'COLUMN_MISSING',
  'QUERY_INVALID',
  'VALUE_TYPE',
]);

async function footerProblem(
  duckdb: Duckdb,
  file: string,
  entry: SegmentEntry,
): Promise<string | null> {
  const footer = await readFooter(duckdb, file);
  const format = footer.get('freshet.format');
  if (format === undefined) return 'has no Freshet footer';
  if (format !== String(SEGMENT_FORMAT)) return `has format ${format}, not ${SEGMENT_FORMAT}`;
  const stored = footer.get('freshet.segment');
  return stored === footerText(entry) ? null : 'has a footer that its entry contradicts';
}

async function contentProblem(
  duckdb: Duckdb,
  file: string,
  entry: SegmentEntry,
): Promise<string | null> {
  const columns = [...entry.columns, ...SYSTEM_COLUMNS].map(({ name, type }) => ({
    name,
    type: storedType(type),
  }));
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  const sql = `SELECT ${names} FROM read_parquet(${quoteLiteral(file)}) ORDER BY _offset`;
  const hash = new ContentHash(columns);
  let rowCount = 0;
  for await (const chunk of duckdb.stream(sql)) {
    const other = columns.findIndex(({ type }, c) => chunk.types[c] !== type);
    if (other !== -1) return `holds column "${columns[other]?.name}" as ${chunk.types[other]}`;
    hash.update(
      columns.map((_, c) => chunk.column(c)),
      0,
      chunk.rowCount,
    );
    rowCount += chunk.rowCount;
  }
  if (rowCount !== entry.rowCount) return `holds ${rowCount} rows, not ${entry.rowCount}`;
  return hash.digest() === entry.contentHash ? null : 'holds other values than were written';
}

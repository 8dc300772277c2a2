import { type DuckdbConnection, quoteLiteral } from '../duckdb/index.ts';
import { fileMark } from './file-mark.ts';
import type { ImportedPart } from './imported-parts.ts';
import { writePartFile } from './write-part.ts';

/** Marks of parts that were written anew, by path. */
export type PartMarks = ReadonlyMap<string, { readonly before: string; readonly after: string }>;

/**
 * Takes all rows out of parts. What they were made of stays known: a file that is imported again adds
 * nothing. @throws FreshetError DISK_FULL, DISK_FAILED; emptying again does the rest
 */
export async function emptyParts(
  duckdb: DuckdbConnection,
  parts: readonly ImportedPart[],
): Promise<PartMarks> {
  const marks = new Map<string, { before: string; after: string }>();
  for (const { path, note } of parts) {
    const before = await fileMark(path);
    const sql = `SELECT * FROM read_parquet(${quoteLiteral(path)}) WHERE false`;
    await writePartFile(duckdb, sql, path, { ...note, rowsLoaded: 0, minUs: null, maxUs: null });
    marks.set(path, { before, after: await fileMark(path) });
  }
  return marks;
}

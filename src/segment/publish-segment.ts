import { dirname, join } from 'node:path';
import type { FileSystem } from '../core/fs.ts';
import { type DuckdbConnection, quoteLiteral } from '../duckdb/index.ts';
import { toDiskError } from './disk-error.ts';
import type { SegmentEntry } from './segment-entry.ts';
import { footerText, SEGMENT_FORMAT, TEMPORARY_SUFFIX } from './segment-layout.ts';

/** Rows of a row group: DuckDB's own default, and what its readers hand to one thread. */
const ROW_GROUP_ROWS = 122_880;

/**
 * Writes the rows of a query, in its order, as the file of an entry; answers with its bytes:
 *   1. write a file with a temporary name (DuckDB's COPY is neither atomic nor durable)
 *   2. fsync the file
 *   3. rename it to its own name
 *   4. fsync the folder
 * After a failure at any step the temporary file is removed, and trying again writes the same file.
 * The file counts once the manifest names it. @throws FreshetError DISK_FULL, DISK_FAILED
 */
export async function publishSegment(
  ports: {
    readonly connection: DuckdbConnection;
    readonly directory: string;
    readonly fs: FileSystem;
  },
  sql: string,
  entry: SegmentEntry,
): Promise<number> {
  const { connection, directory, fs } = ports;
  const file = join(directory, entry.file as string);
  const temporary = `${file}${TEMPORARY_SUFFIX}`;
  try {
    await fs.makeDirectory(dirname(file));
    await connection.run(copyStatement(sql, entry, temporary)); // 1
    const bytes = await fs.sizeBytes(temporary);
    await fs.syncFile(temporary); // 2
    await fs.rename(temporary, file); // 3
    await fs.syncDirectory(dirname(file)); // 4
    return bytes;
  } catch (thrown) {
    // What cannot be removed now is swept at the next start; the first failure is the one to tell.
    await fs.remove(temporary).catch(() => undefined);
    throw toDiskError(thrown, file);
  }
}

function copyStatement(sql: string, entry: SegmentEntry, file: string): string {
  const metadata = [
    `'freshet.format': ${quoteLiteral(String(SEGMENT_FORMAT))}`,
    `'freshet.segment': ${quoteLiteral(footerText(entry))}`,
  ];
  return (
    `COPY (${sql}) TO ${quoteLiteral(file)} ` +
    `(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}, ` +
    `USE_TMP_FILE false, KV_METADATA {${metadata.join(', ')}})`
  );
}

import { type DuckdbConnection, quoteLiteral } from '../duckdb/index.ts';
import type { FileStore } from './file-store.ts';
import type { SegmentEntry } from './segment-entry.ts';
import { footerText, SEGMENT_FORMAT } from './segment-layout.ts';

/** Rows of a row group: DuckDB's own default, and what its readers hand to one thread. */
const ROW_GROUP_ROWS = 122_880;

/**
 * Writes the rows of a query, in its order, as the file of an entry; answers with its bytes. The file
 * counts once the manifest names it. @throws FreshetError DISK_FULL, DISK_FAILED; trying again writes
 * the same file
 */
export function publishSegment(
  ports: { readonly connection: DuckdbConnection; readonly files: FileStore },
  sql: string,
  entry: SegmentEntry,
): Promise<number> {
  const { connection, files } = ports;
  return files.write(entry.file as string, (path) =>
    connection.run(copyStatement(sql, entry, path)),
  );
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

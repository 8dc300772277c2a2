import type { Clock } from '../core/clock.ts';
import type { DuckdbConnection } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import type { FileStore } from './file-store.ts';
import { readFooter } from './inspect-parquet.ts';
import type { SegmentEntry } from './segment-entry.ts';
import { SEGMENT_FORMAT } from './segment-layout.ts';

/**
 * Manifest entries as the footers of the files tell them, by topic, partition and start offset: what
 * is left when the manifest is lost. Cuts without rows have no file and are not among them.
 * @throws FreshetError SEGMENT_CORRUPT for a file without our footer
 */
export async function readEntries(
  options: {
    readonly duckdb: DuckdbConnection;
    readonly files: FileStore;
    readonly clock: Clock;
  },
  names: readonly string[],
): Promise<SegmentEntry[]> {
  const { duckdb, files, clock } = options;
  const entries: SegmentEntry[] = [];
  for (const name of names) {
    const file = files.pathOf(name);
    const footer = await readFooter(duckdb, file);
    const text = footer.get('freshet.segment');
    if (text === undefined || footer.get('freshet.format') !== String(SEGMENT_FORMAT)) {
      throw new FreshetError('SEGMENT_CORRUPT', `segment ${name} has no footer of this version`, {
        where: { file },
      });
    }
    const described = JSON.parse(text) as SegmentEntry;
    entries.push({
      ...described,
      file: name,
      bytes: await files.sizeBytes(name),
      createdAtMs: clock.nowMs(),
    });
  }
  return entries.sort(
    (a, b) =>
      (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0) ||
      a.partition - b.partition ||
      a.startOffset - b.startOffset,
  );
}

import type { TopicSource } from '../definition/index.ts';
import {
  type CompactionRun,
  type Manifest,
  planCompaction,
  planWholeCompaction,
  type SegmentEntry,
} from '../segment/index.ts';
import { channels } from '../telemetry/index.ts';
import type { Resources } from './resources.ts';

export interface CompactOptions {
  /** Merge all that one range can hold, whatever the sizes. Default false: as the policy says. */
  readonly all?: boolean;
  /** Told behind each run of files that became others. */
  readonly onProgress?: (progress: CompactionProgress) => void;
  /** Ends it between two runs. */
  readonly signal?: AbortSignal;
}

export interface CompactionProgress {
  readonly source: string;
  readonly rowsDone: number;
  readonly rowsTotal: number;
}

/** What was done to the segments of one source. */
export interface CompactionResult {
  readonly source: string;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly rowsWritten: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Bytes ever written of what is there now, by bytes there now; 1 when nothing was rewritten. */
  readonly writeAmplification: number;
  readonly durationMs: number;
}

/**
 * Makes the small segments of a source into few large ones. Readers and the stream go on meanwhile.
 * @throws FreshetError SEGMENT_CORRUPT, DISK_FULL, DISK_FAILED; what was done before it stays
 */
export async function compactHistory(
  resources: Resources,
  source: TopicSource,
  options: CompactOptions = {},
): Promise<CompactionResult> {
  const manifest = await resources.manifest();
  const startMs = resources.clock.nowMs();
  const list = (): Promise<SegmentEntry[]> => manifest.entries(source.name);
  const before = await list();
  const { compaction } = resources.config.offlineStore;
  const plan = (entries: readonly SegmentEntry[]): CompactionRun[] =>
    (options.all === true ? planWholeCompaction : planCompaction)(
      entries.filter((entry) => hasTime(entry, source)),
      compaction,
    );
  let [rowsWritten, bytesRead, bytesWritten] = [0, 0, 0];
  // A merged range may be one too many of its class: plan again until there is nothing to do.
  for (let runs = plan(before); runs.length > 0; runs = options.all ? [] : plan(await list())) {
    const rowsTotal = rowsWritten + runs.reduce((sum, { rowCount }) => sum + rowCount, 0);
    for (const run of runs) {
      if (options.signal?.aborted) break;
      const written = await rewriteRun(resources, manifest, source, run);
      rowsWritten += run.rowCount;
      bytesRead += run.bytes;
      bytesWritten += written.reduce((sum, { bytes }) => sum + bytes, 0);
      options.onProgress?.({ source: source.name, rowsDone: rowsWritten, rowsTotal });
    }
    if (options.signal?.aborted) break;
  }
  const after = await list();
  return {
    source: source.name,
    filesBefore: fileCount(before),
    filesAfter: fileCount(after),
    rowsWritten,
    bytesRead,
    bytesWritten,
    writeAmplification: writeAmplification(after),
    durationMs: resources.clock.nowMs() - startMs,
  };
}

async function rewriteRun(
  resources: Resources,
  manifest: Manifest,
  source: TopicSource,
  run: CompactionRun,
): Promise<SegmentEntry[]> {
  const { clock, config } = resources;
  const startMs = clock.nowMs();
  const segments = await resources.segments();
  const { fileBytesTarget } = config.offlineStore.compaction;
  const written = await segments.rewrite({ entries: run.entries, source, fileBytesTarget });
  const removed = { entries: run.entries, atMs: clock.nowMs() };
  await manifest.commit(source.name, { added: written, removed });
  channels.compacted.publish({
    source: source.name,
    filesBefore: fileCount(run.entries),
    filesAfter: fileCount(written),
    rows: run.rowCount,
    bytes: written.reduce((sum, { bytes }) => sum + bytes, 0),
    durationMs: clock.nowMs() - startMs,
  });
  return written;
}

/** Files are split and sorted by event time: one whose field has another name now stays as it is. */
function hasTime({ columns }: SegmentEntry, { timestampField }: TopicSource): boolean {
  return columns.some(({ name, type }) => name === timestampField && type === 'timestamp');
}

/** A file of generation g was written g + 1 times, in one file or another. */
function writeAmplification(entries: readonly SegmentEntry[]): number {
  let [bytes, written] = [0, 0];
  for (const entry of entries) {
    bytes += entry.bytes;
    written += entry.bytes * (1 + (entry.rewrite?.generation ?? 0));
  }
  return bytes === 0 ? 1 : written / bytes;
}

function fileCount(entries: readonly SegmentEntry[]): number {
  return entries.filter(({ file }) => file !== null).length;
}

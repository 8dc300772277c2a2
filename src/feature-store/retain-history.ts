import { stat } from 'node:fs/promises';
import { emptyParts, type ImportedPart, listParts } from '../backfill/index.ts';
import type { RetentionConfig } from '../config/index.ts';
import { didYouMean } from '../core/nearest.ts';
import { parseDurationUs } from '../core/time.ts';
import type { Catalog, FeatureView, ParquetSource, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { SegmentEntry } from '../segment/index.ts';
import { channels } from '../telemetry/index.ts';
import { backfillFolders } from './backfill-folders.ts';
import { remarkSource } from './remark-source.ts';
import type { Resources } from './resources.ts';

/** What a source keeps; null: without a bound. */
interface Retention {
  /** Behind the newest event time of the source. */
  readonly ageUs: number | null;
  readonly bytes: number | null;
}

/** What retention takes away, or would take away, of one source. */
export interface RetentionResult {
  readonly source: string;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  /** Rows before this event time may be gone, in microseconds; null when none is. */
  readonly beforeUs: number | null;
}

/** A file of history, as retention looks at it. */
interface HistoryFile {
  /** Null without rows. */
  readonly maxUs: number | null;
  readonly rowCount: number;
  readonly bytes: number;
}

/**
 * Takes files out of history whose rows no view of the source needs any more. Segments are deleted
 * after the grace. Of a Parquet source the parts that backfills made are emptied, so that their files
 * stay known, but not while a join is under way; files of others stay. The online store is left as it
 * is: its rows and windows grow old by their own rules.
 * @throws FreshetError CONFIG_INVALID when the configuration names a view that is not there
 */
export async function retainHistory(
  resources: Resources,
  catalog: Catalog,
  source: TopicSource | ParquetSource,
  options: { readonly dryRun?: boolean } = {},
): Promise<RetentionResult> {
  const dryRun = options.dryRun === true;
  const views = [...catalog.views.values()].filter(
    ({ streamSource, batchSource }) => streamSource === source || batchSource === source,
  );
  const kept = retentionOf(catalog, views, resources.config.offlineStore.retention);
  const result =
    source.kind === 'topicSource'
      ? await retainSegments(resources, source, kept, dryRun)
      : await retainParts(resources, source, views, kept, dryRun);
  const { files, rows, beforeUs } = result;
  if (beforeUs !== null && !dryRun) {
    channels.dropped.publish({ source: source.name, files, rows, beforeUs });
  }
  return result;
}

async function retainSegments(
  resources: Resources,
  { name }: TopicSource,
  kept: Retention,
  dryRun: boolean,
): Promise<RetentionResult> {
  const files = (await entriesOf(resources, name, dryRun)).map((entry) => ({
    ...{ entry, maxUs: entry.maxEventTimeUs, rowCount: entry.rowCount, bytes: entry.bytes },
  }));
  const expired = expiredFiles(files, kept, null);
  if (expired.length > 0 && !dryRun) {
    const entries = expired.map(({ entry }) => entry);
    const removed = { entries, atMs: resources.clock.nowMs() };
    const manifest = await resources.manifest();
    await manifest.commit(name, { added: entries.map(withoutRows), removed });
  }
  return resultOf(name, expired);
}

async function retainParts(
  resources: Resources,
  source: ParquetSource,
  views: readonly FeatureView[],
  kept: Retention,
  dryRun: boolean,
): Promise<RetentionResult> {
  const isBounded = kept.ageUs !== null || kept.bytes !== null;
  // A part is emptied in its place, under a join that has counted its rows.
  const isRead = resources.reads.oldestMs !== null && !dryRun;
  if (!isBounded || isRead) return resultOf(source.name, []);
  await using duckdb = await (await resources.duckdb()).connect();
  const { folder } = backfillFolders(source, resources.config);
  const files: (HistoryFile & { readonly part: ImportedPart })[] = [];
  for (const part of await listParts(duckdb, folder)) {
    const { maxUs, rowsLoaded: rowCount } = part.note;
    files.push({ part, maxUs, rowCount, bytes: (await stat(part.path)).size });
  }
  const expired = expiredFiles(files, kept, await newestOf(resources, views, dryRun));
  if (expired.length > 0 && !dryRun) {
    const marks = await emptyParts(
      duckdb,
      expired.map(({ part }) => part),
    );
    await remarkSource(await resources.state(), views, source, marks);
  }
  return resultOf(source.name, expired);
}

/** The newest row that the topics of some views have; null without one. */
async function newestOf(
  resources: Resources,
  views: readonly FeatureView[],
  dryRun: boolean,
): Promise<number | null> {
  const times: number[] = [];
  for (const { name } of new Set(views.flatMap(({ streamSource }) => streamSource ?? []))) {
    const entries = await entriesOf(resources, name, dryRun);
    times.push(...entries.map(({ maxEventTimeUs }) => maxEventTimeUs as number));
  }
  return times.length === 0 ? null : Math.max(...times);
}

/** The segments that have rows; only for a change is the store opened to be written. */
async function entriesOf(
  resources: Resources,
  source: string,
  dryRun: boolean,
): Promise<SegmentEntry[]> {
  const entries = dryRun
    ? await resources.readState((_, manifest) => manifest.entries(source))
    : await (await resources.manifest()).entries(source);
  return entries.filter(({ file }) => file !== null);
}

function resultOf(source: string, expired: readonly HistoryFile[]): RetentionResult {
  const times = expired.map(({ maxUs }) => maxUs as number);
  return {
    source,
    files: expired.length,
    rows: expired.reduce((sum, { rowCount }) => sum + rowCount, 0),
    bytes: expired.reduce((sum, { bytes }) => sum + bytes, 0),
    beforeUs: times.length === 0 ? null : Math.max(...times) + 1,
  };
}

/** The longest that any of the views of a source needs. @throws FreshetError CONFIG_INVALID */
function retentionOf(
  catalog: Catalog,
  views: readonly FeatureView[],
  byView: Readonly<Record<string, RetentionConfig>>,
): Retention {
  for (const name of Object.keys(byView)) {
    if (catalog.views.has(name)) continue;
    throw new FreshetError(
      'CONFIG_INVALID',
      `offlineStore.retention: there is no view "${name}". ${didYouMean(name, [...catalog.views.keys()])}`,
      {
        where: { view: name },
      },
    );
  }
  const needs = views.map(({ name }) => byView[name] ?? {});
  const longest = (values: readonly (number | undefined)[]): number | null =>
    values.length === 0 || values.includes(undefined) ? null : Math.max(...(values as number[]));
  return {
    ageUs: longest(needs.map(({ age }) => (age === undefined ? undefined : parseDurationUs(age)))),
    bytes: longest(needs.map(({ bytes }) => bytes)),
  };
}

/**
 * Files all of whose rows are too old, and the oldest of those that are too many. Age counts from the
 * newest row, here or in what continues the files. Pure.
 */
function expiredFiles<F extends HistoryFile>(
  all: readonly F[],
  { ageUs, bytes }: Retention,
  newestElsewhereUs: number | null,
): F[] {
  const files = all
    .filter(({ maxUs }) => maxUs !== null)
    .sort((a, b) => (b.maxUs as number) - (a.maxUs as number));
  const newestUs = Math.max(files[0]?.maxUs ?? 0, newestElsewhereUs ?? 0);
  let kept = 0;
  return files.filter((file, i) => {
    const tooOld = ageUs !== null && (file.maxUs as number) < newestUs - ageUs;
    kept += file.bytes;
    // The newest file stays, however large: a bound of bytes is not to empty history.
    const tooMany = bytes !== null && kept > bytes && i > 0;
    return tooOld || tooMany;
  });
}

/** The range stays in the manifest: the offsets of a partition have no holes. */
function withoutRows(entry: SegmentEntry): SegmentEntry {
  return {
    ...entry,
    file: null,
    rowCount: 0,
    bytes: 0,
    minEventTimeUs: null,
    maxEventTimeUs: null,
    minArrivalTimeUs: null,
    maxArrivalTimeUs: null,
    maxLateUs: null,
  };
}

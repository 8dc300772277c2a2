import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  type BackfillProgress,
  collectBadRows,
  type ImportOptions,
  type ImportProgress,
  type ImportResult,
  importFiles,
} from '../backfill/index.ts';
import { type TimestampInput, toTimestampUs } from '../core/time.ts';
import type { Catalog, FeatureView, ParquetSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { KnownAtOffsets } from '../join/index.ts';
import { backfillFolders } from './backfill-folders.ts';
import { handOverAt } from './hand-over-at.ts';
import { type Handover, handoverOf } from './handover.ts';
import { materialize } from './materialization.ts';
import type { Resources } from './resources.ts';

export interface BackfillOptions {
  /** A Parquet source, or a view that has one. */
  readonly source: string;
  /** Parquet files, globs and folders, relative to the repository. */
  readonly files: readonly string[];
  /** Column of the files by field, where the names differ; an empty text where they have none. */
  readonly columns?: Readonly<Record<string, string>>;
  /**
   * `history`: for training alone; `freshet materialize` can load it later. `online`: what is served of
   * the views, alone: joins do not see it. Default `both`.
   */
  readonly into?: 'both' | 'history' | 'online';
  /** Rows at or after this event time are left to the topic of the view. */
  readonly until?: TimestampInput;
  /**
   * By topic, an offset of each partition, for a topic that no engine has read: it begins there, and
   * what is below is in the files.
   */
  readonly untilOffsets?: KnownAtOffsets;
  /**
   * Columns of the files with partition and offset in the topic: rows at or after `untilOffsets` are
   * left to it. Without them the files are taken whole.
   */
  readonly offsetColumns?: { readonly partition: string; readonly offset: string };
  /** More bad rows end the backfill. Default: any number is set aside. */
  readonly badRowsMax?: number;
  /**
   * Takes all bad rows, as Parquet or NDJSON by its name. Default: none; each part of a file that has
   * bad rows has an NDJSON file in the folder `backfill` beside that of the segments.
   */
  readonly badRowsFile?: string;
  /** What to do with a file that was loaded under its name and has other bytes now. Default `refuse`. */
  readonly changed?: 'refuse' | 'add' | 'replace';
  /** Counts and checks, and writes nothing. Default false. */
  readonly dryRun?: boolean;
  readonly onImport?: (progress: ImportProgress) => void;
  readonly onMaterialize?: (progress: BackfillProgress) => void;
}

export interface BackfillSummary extends ImportResult {
  readonly source: string;
  /** Rows written to the online store, by view. */
  readonly online: Readonly<Record<string, number>>;
  /** By view that has a topic as well: whether history and topic meet. */
  readonly handovers: readonly Handover[];
}

/** @throws FreshetError SOURCE_NOT_FOUND, INVALID_ARGUMENT, BACKFILL_REJECTED, and as `importFiles` */
export async function backfill(
  resources: Resources,
  catalog: Catalog,
  options: BackfillOptions,
): Promise<BackfillSummary> {
  const source = requireParquetSource(catalog, options.source);
  const views = [...catalog.views.values()].filter(({ batchSource }) => batchSource === source);
  const { config } = resources;
  requireFolder(source);
  const { folder, onlineFolder, badFolder } = backfillFolders(source, config);
  const folders =
    options.into === 'online'
      ? { targetFolder: onlineFolder, knownFolder: folder }
      : { targetFolder: folder, replacedFolder: onlineFolder };
  const { until, badRowsMax, columns, onImport, changed, dryRun = false } = options;
  const isOnline = options.into !== 'history' && !dryRun;
  if (isOnline) await requireState(resources);
  const untilOffsets = await handOver(resources, views, options);
  // Joins read it, whether or not it has rows.
  if (!dryRun) await mkdir(folder, { recursive: true });
  await using duckdb = await (await resources.duckdb()).connect();
  const imported = await importFiles({
    duckdb,
    source,
    ...folders,
    baseDirectory: config.repoDir,
    files: options.files,
    requiredFields: [...new Set(views.flatMap((view) => Object.keys(view.joinKeys)))],
    badFolder,
    ...(columns && { columns }),
    ...(until !== undefined && { untilUs: toTimestampUs(until) }),
    ...(untilOffsets && { untilOffsets }),
    ...(badRowsMax !== undefined && { badRowsMax }),
    ...(changed && { changed }),
    dryRun,
    ...(onImport && { onProgress: onImport }),
  });
  if (dryRun) return { ...imported, source: source.name, online: {}, handovers: [] };
  const { badRowsFile } = options;
  if (badRowsFile !== undefined) {
    await collectBadRows(duckdb, imported.badFiles, resolve(config.repoDir, badRowsFile));
  }
  const online = isOnline ? await load(resources, catalog, views, imported, options) : {};
  const handovers: Handover[] = [];
  for (const view of imported.maxUs === null ? [] : views) {
    if (view.streamSource === null) continue;
    const given = options.untilOffsets?.[view.streamSource.topic];
    const sources = {
      ...{ files: source, topic: view.streamSource },
      ...(given && { untilOffsets: given }),
    };
    handovers.push(await handoverOf(resources, catalog, view, sources, imported.maxUs));
  }
  return { ...imported, source: source.name, online, handovers };
}

/** Before anything is loaded: what is stopped then goes on with the same. */
async function handOver(
  resources: Resources,
  views: readonly FeatureView[],
  { untilOffsets, offsetColumns, dryRun = false }: BackfillOptions,
): Promise<ImportOptions['untilOffsets'] | null> {
  const given = Object.entries(untilOffsets ?? {});
  const [topic, offsets] = given[0] ?? [];
  const sources = new Map(
    views.flatMap((view) =>
      view.streamSource ? [[view.streamSource.topic, view.streamSource]] : [],
    ),
  );
  if (topic === undefined || offsets === undefined) {
    if (offsetColumns === undefined) return null;
    throw new FreshetError('INVALID_ARGUMENT', 'columns of offsets are given, and no offsets', {
      next: 'Give the offsets at which the topic takes over: --until-offsets.',
    });
  }
  const source = sources.get(topic);
  if (source === undefined || given.length > 1) {
    const what = `offsets are given of ${given.map(([name]) => `"${name}"`).join(', ')}; `;
    const has = `the views of these files have ${[...sources.keys()].map((name) => `"${name}"`).join(', ') || 'no topic'}`;
    throw new FreshetError('INVALID_ARGUMENT', what + has, {
      next: 'Give the offsets of one topic that takes over from the files.',
    });
  }
  await requireState(resources);
  await handOverAt(resources, source, offsets, { dryRun });
  if (offsetColumns === undefined) return null;
  const { partition: partitionColumn, offset: offsetColumn } = offsetColumns;
  return { partitionColumn, offsetColumn, offsets };
}

/** Before anything is loaded. @throws FreshetError STORE_LOCKED saying how to load all the same */
async function requireState(resources: Resources): Promise<void> {
  try {
    await resources.state();
  } catch (thrown) {
    if (!(thrown instanceof FreshetError) || thrown.code !== 'STORE_LOCKED') throw thrown;
    throw new FreshetError('STORE_LOCKED', thrown.message, {
      where: thrown.where,
      cause: thrown,
      next: 'Stop the engine; or backfill with --offline, and let its server load it: `POST /materialize`.',
    });
  }
}

async function load(
  resources: Resources,
  catalog: Catalog,
  views: readonly FeatureView[],
  { minUs, maxUs }: ImportResult,
  { onMaterialize }: BackfillOptions,
): Promise<Record<string, number>> {
  const names = views.filter(({ online, enabled }) => online && enabled).map(({ name }) => name);
  if (minUs === null || maxUs === null || names.length === 0) return {};
  const results = await materialize(resources, catalog, {
    views: names,
    startTime: minUs,
    endTime: maxUs,
    ...(onMaterialize && { onProgress: onMaterialize }),
  });
  return Object.fromEntries(results.map(({ view, rowsWritten }) => [view, rowsWritten]));
}

function requireParquetSource(catalog: Catalog, name: string): ParquetSource {
  const source = catalog.sources.get(name);
  if (source?.kind === 'parquetSource') return source;
  const view = catalog.views.get(name);
  if (view?.batchSource) return view.batchSource;
  if (view !== undefined) {
    throw new FreshetError('INVALID_ARGUMENT', `view "${name}" has no batch history`, {
      where: { view: name },
      next: 'Give it a parquetSource as batchSource, whose path is a folder, and apply.',
    });
  }
  throw new FreshetError('SOURCE_NOT_FOUND', `there is no Parquet source or view "${name}"`, {
    where: { source: name },
  });
}

/** @throws FreshetError INVALID_ARGUMENT for a path that is one file or a glob */
function requireFolder({ name, path }: ParquetSource): void {
  if (!/[*?[]|\.parquet$|:\/\//.test(path)) return;
  throw new FreshetError('INVALID_ARGUMENT', `the path of source "${name}" is no folder: ${path}`, {
    where: { source: name },
    next: 'A backfill adds files: let the path of the source be a folder.',
  });
}

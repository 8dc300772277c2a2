import { join } from 'node:path';
import {
  type BackfillProgress,
  type ImportProgress,
  type ImportResult,
  importFiles,
} from '../backfill/index.ts';
import { createRowDecoder } from '../codec/index.ts';
import { type TimestampInput, toTimestampUs } from '../core/time.ts';
import type { Catalog, FeatureView, ParquetSource, TopicSource } from '../definition/index.ts';
import { quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { listEntries, segmentRelation } from '../segment/index.ts';
import { materialize } from './materialization.ts';
import { requiredFields } from './open-task.ts';
import type { Resources } from './resources.ts';

export interface BackfillOptions {
  /** A Parquet source, or a view that has one. */
  readonly source: string;
  /** Parquet files, globs and folders, relative to the repository. */
  readonly files: readonly string[];
  /** Column of the files by field, where the names differ. */
  readonly columns?: Readonly<Record<string, string>>;
  /**
   * `history`: for training alone; `freshet materialize` can load it later. Default `both`: the
   * online store of all views of the source, too.
   */
  readonly into?: 'both' | 'history';
  /** Rows at or after this event time are left to the topic of the view. */
  readonly until?: TimestampInput;
  /** More bad rows end the backfill. Default: any number is set aside. */
  readonly badRowsMax?: number;
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

/** Where the rows of files end and those of a topic begin, for one view. Times in microseconds. */
export interface Handover {
  readonly view: string;
  readonly topic: string;
  /** The newest row of the files. */
  readonly filesEndUs: number | null;
  /** The oldest row that the topic still has; null while it has none. */
  readonly topicStartUs: number | null;
  /** Whether the topic has lost records, and begins behind the end of the files. */
  readonly hasGap: boolean;
  /** Rows of the topic at or before the newest row of the files: both count in windows. */
  readonly overlapRows: number;
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
  const targetFolder = folderOf(source, config.repoDir);
  const { until, badRowsMax, columns, onImport } = options;
  await using duckdb = await (await resources.duckdb()).connect();
  const imported = await importFiles({
    duckdb,
    source,
    targetFolder,
    baseDirectory: config.repoDir,
    files: options.files,
    requiredFields: [...new Set(views.flatMap((view) => Object.keys(view.joinKeys)))],
    badFolder: join(config.offlineStore.path, '..', 'backfill', source.name),
    ...(columns && { columns }),
    ...(until !== undefined && { untilUs: toTimestampUs(until) }),
    ...(badRowsMax !== undefined && { badRowsMax }),
    ...(onImport && { onProgress: onImport }),
  });
  const online =
    options.into === 'history' ? {} : await load(resources, catalog, views, imported, options);
  const handovers: Handover[] = [];
  for (const view of views) {
    if (view.streamSource === null) continue;
    handovers.push(await handoverOf(resources, catalog, view, view.streamSource, imported.maxUs));
  }
  return { ...imported, source: source.name, online, handovers };
}

async function load(
  resources: Resources,
  catalog: Catalog,
  views: readonly FeatureView[],
  { minUs, maxUs, partsReplaced }: ImportResult,
  { onMaterialize }: BackfillOptions,
): Promise<Record<string, number>> {
  const names = views.filter(({ online, enabled }) => online && enabled).map(({ name }) => name);
  if (minUs === null || maxUs === null || names.length === 0) return {};
  const results = await materialize(resources, catalog, {
    views: names,
    startTime: minUs,
    endTime: maxUs,
    fromScratch: partsReplaced > 0,
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
function folderOf({ name, path }: ParquetSource, repoDir: string): string {
  if (!/[*?[]|\.parquet$|:\/\//.test(path)) return join(repoDir, path);
  throw new FreshetError('INVALID_ARGUMENT', `the path of source "${name}" is no folder: ${path}`, {
    where: { source: name },
    next: 'A backfill adds files: let the path of the source be a folder.',
  });
}

/** What the log still has, and what of it is in history already. */
async function handoverOf(
  resources: Resources,
  catalog: Catalog,
  view: FeatureView,
  source: TopicSource,
  filesEndUs: number | null,
): Promise<Handover> {
  const first = await firstRows(resources, catalog, source);
  const { timesUs, wasCut } = first;
  const topicStartUs = timesUs.length === 0 ? null : Math.min(...timesUs);
  const hasGap =
    wasCut && filesEndUs !== null && (topicStartUs === null || topicStartUs > filesEndUs);
  const overlapRows = filesEndUs === null ? 0 : await rowsUntil(resources, source, filesEndUs);
  return { view: view.name, topic: source.topic, filesEndUs, topicStartUs, hasGap, overlapRows };
}

/** Times of the first rows of each partition, and whether records before them are gone. */
async function firstRows(
  resources: Resources,
  catalog: Catalog,
  source: TopicSource,
): Promise<{ timesUs: number[]; wasCut: boolean }> {
  const log = await resources.logToRead();
  if (log === null || !(await log.listTopics()).includes(source.topic)) {
    return { timesUs: [], wasCut: false };
  }
  const decoder = createRowDecoder({
    source,
    requiredFields: requiredFields(catalog, source),
    rowBytesMax: resources.config.engine.rowBytesMax,
    clock: resources.clock,
    ...(source.format === 'avro' && { registry: await resources.schemas() }),
  });
  const { topic } = source;
  const { partitions } = await log.describeTopic(topic);
  const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const marks = await log.watermarks(tps);
  const timesUs: number[] = [];
  for (const { start, end, ...tp } of marks) {
    await using reader = await log.assign([{ ...tp, offset: start }]);
    for (let next = start; next < end; ) {
      let found = 0;
      for (const batch of await reader.poll({ waitMs: 1_000 })) {
        const { rows } = await decoder.decode(batch);
        found += rows.count;
        if (rows.count > 0) timesUs.push(Math.min(...rows.eventTimesUs.subarray(0, rows.count)));
        next = batch.nextOffset;
      }
      if (found > 0) break;
    }
  }
  return { timesUs, wasCut: marks.some(({ start }) => start > 0) };
}

async function rowsUntil(
  resources: Resources,
  source: TopicSource,
  untilUs: number,
): Promise<number> {
  const entries = await resources.readState(async ({ dictionary, kv }) => {
    const sourceId = dictionary.sourceId(source.name);
    return sourceId === undefined ? [] : listEntries(kv, sourceId);
  });
  const rows = segmentRelation(resources.config.offlineStore.path, entries, source);
  const [counted] = await (await resources.duckdb()).query(
    `SELECT count(*)::DOUBLE AS n FROM (${rows}) ` +
      `WHERE ${quoteIdentifier(source.timestampField)} <= make_timestamp(${untilUs})`,
  );
  return Number(counted?.['n']);
}

/**
 * Everything that is stored of one entity, removed: from the log first, so that no replay brings it
 * back, then from history, of backfills too, from saved datasets, from the online store, and from the
 * files of both stores. A stop in between leaves some of it; erasing again removes the rest.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { eraseRows } from '../backfill/index.ts';
import { eraseFromOutbox, reclaimSegments } from '../checkpoint/index.ts';
import { keyCoercerOf } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import type {
  Catalog,
  Entity,
  FeatureView,
  ParquetSource,
  TopicSource,
} from '../definition/index.ts';
import { fieldLiteral, quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { eraseEntity } from '../online/index.ts';
import { byRange, parquetRelation } from '../segment/index.ts';
import type { StateStore } from '../state/index.ts';
import { backfillFolders } from './backfill-folders.ts';
import { type DatasetErasure, eraseFromDatasets } from './erase-from-datasets.ts';
import { eraseFromLog, type LogErasure } from './erase-from-log.ts';
import { remarkSource } from './remark-source.ts';
import type { Resources } from './resources.ts';
import type { SavedDatasets } from './saved-datasets.ts';

export interface EraseRequest {
  /** A value of each join key of the entity. */
  readonly keyValues: Readonly<Record<string, unknown>>;
  /**
   * Whether records of its topics that cannot be read, so that they may be of any entity, go, too.
   * Default false: they are counted.
   */
  readonly unreadable?: boolean;
  /** Only counts. Default false. */
  readonly dryRun?: boolean;
}

export interface EraseOptions extends EraseRequest {
  readonly entity: Entity;
  readonly datasets: SavedDatasets;
}

/** What was removed, and what cannot be. */
export interface EraseResult {
  readonly entity: string;
  readonly keyValues: Readonly<Record<string, FieldValue>>;
  readonly online: readonly { readonly view: string; readonly entities: number }[];
  readonly segments: readonly {
    readonly source: string;
    readonly rows: number;
    readonly files: number;
  }[];
  readonly log: readonly LogErasure[];
  /** By topic, records that a stopped engine had not appended yet. */
  readonly outbox: readonly { readonly topic: string; readonly records: number }[];
  readonly batchHistory: readonly BatchErasure[];
  readonly datasets: readonly DatasetErasure[];
}

/** Of one Parquet source that has anything of the entity. */
export interface BatchErasure {
  readonly source: string;
  /** Rows that backfills have loaded, and the parts that they were in. */
  readonly rows: number;
  readonly files: number;
  /** Rows that backfills have set aside. */
  readonly badRows: number;
  /** Rows in files of others, which are read, and never written. */
  readonly foreignRows: number;
  /** Files of others that rows were loaded from, which have them still. */
  readonly madeOf: readonly string[];
}

/** @throws FreshetError INVALID_ARGUMENT for join keys that are missing or none, VALUE_TYPE */
export async function erase(
  resources: Resources,
  catalog: Catalog,
  { entity, keyValues: given, datasets, unreadable = false, dryRun = false }: EraseOptions,
): Promise<EraseResult> {
  const keyValues = requireKeyValues(entity, given);
  const views = [...catalog.views.values()].filter((view) =>
    view.entities.some(({ name }) => name === entity.name),
  );
  const sources = [...new Set(views.flatMap(({ streamSource }) => streamSource ?? []))];
  const search = { catalog, views, sources, keyValues, unreadable, dryRun };
  const found = await eraseFromLog(resources, search);
  const segments = [];
  for (const source of sources) {
    segments.push(await eraseFromSegments(resources, source, keyValues, dryRun));
  }
  const state = await resources.state();
  const batchHistory = await eraseFromBatchHistory(resources, state, views, keyValues, dryRun);
  const erasedDatasets = await eraseFromDatasets(datasets, catalog, { entity, keyValues, dryRun });
  const waiting = await eraseFromOutbox(state, found.isOfEntity, { dryRun });
  const online = [];
  for (const view of views) {
    const entities = await eraseEntity(state, view, keyValues, { dryRun });
    online.push({ view: view.name, entities });
  }
  if (!dryRun) {
    await state.kv.purge();
    await resources.reopenState();
  }
  return {
    ...{ entity: entity.name, keyValues, online, segments, log: found.erasures },
    outbox: [...waiting].map(([topic, records]) => ({ topic, records })),
    ...{ batchHistory, datasets: erasedDatasets },
  };
}

function requireKeyValues(
  { name, joinKeys }: Entity,
  given: Readonly<Record<string, unknown>>,
): Record<string, FieldValue> {
  const names = Object.keys(joinKeys);
  const missing = names.filter((key) => given[key] === undefined || given[key] === null);
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(joinKeys, key));
  if (names.length === 0 || missing.length > 0 || unknown.length > 0) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `entity "${name}" has the join keys ${names.join(', ') || '(none)'}, and each needs a value`,
    );
  }
  return Object.fromEntries(
    Object.entries(joinKeys).map(([key, type]) => [
      key,
      keyCoercerOf(type as FieldType)(given[key]),
    ]),
  );
}

/** Ranges with such rows are written anew without them, and the old files deleted at once. */
async function eraseFromSegments(
  resources: Resources,
  source: TopicSource,
  keyValues: Readonly<Record<string, FieldValue>>,
  dryRun: boolean,
): Promise<EraseResult['segments'][number]> {
  const manifest = await resources.manifest();
  const segments = await resources.segments();
  const duckdb = await resources.duckdb();
  const entries = (await manifest.entries(source.name)).filter(({ file }) => file !== null);
  const match = matchSql(source, keyValues);
  let [rows, files] = [0, 0];
  for (const range of byRange(entries)) {
    const relation = segments.relation(range, source);
    const [counted] = await duckdb.query(
      `SELECT count(*)::DOUBLE AS n FROM (${relation}) WHERE ${match}`,
    );
    const found = Number(counted?.['n']);
    if (found === 0) continue;
    rows += found;
    files += range.length;
    if (dryRun) continue;
    const { fileBytesTarget } = resources.config.offlineStore.compaction;
    const keepSql = `(${match}) IS NOT TRUE`;
    const written = await segments.rewrite({ entries: range, source, fileBytesTarget, keepSql });
    const removed = { entries: range, atMs: resources.clock.nowMs() };
    await manifest.commit(source.name, { added: written, removed });
  }
  // No grace: what is to be erased is not to be read for another hour.
  if (!dryRun) await reclaimSegments(manifest, segments, Number.POSITIVE_INFINITY);
  return { source: source.name, rows, files };
}

async function eraseFromBatchHistory(
  resources: Resources,
  state: StateStore,
  views: readonly FeatureView[],
  keyValues: Readonly<Record<string, FieldValue>>,
  dryRun: boolean,
): Promise<BatchErasure[]> {
  await using duckdb = await (await resources.duckdb()).connect();
  const found: BatchErasure[] = [];
  for (const source of new Set(views.flatMap(({ batchSource }) => batchSource ?? []))) {
    const { folder, onlineFolder, badFolder } = backfillFolders(source, resources.config);
    const folders = [folder, onlineFolder];
    const erased = await eraseRows({ duckdb, source, folders, badFolder, keyValues, dryRun });
    if (!dryRun) await remarkSource(state, views, source, erased.marks);
    const { rows, files, badRows, madeOf, parts } = erased;
    const foreignRows = await countForeign(resources, source, parts, keyValues);
    if (rows + badRows + foreignRows === 0) continue;
    found.push({ source: source.name, rows, files, badRows, foreignRows, madeOf });
  }
  return found;
}

/** Rows in files of the source that no backfill made. */
async function countForeign(
  resources: Resources,
  source: ParquetSource,
  parts: readonly string[],
  keyValues: Readonly<Record<string, FieldValue>>,
): Promise<number> {
  const { repoDir } = resources.config;
  if (await isMissing(source, repoDir)) return 0;
  const duckdb = await resources.duckdb();
  const { files } = await parquetRelation(duckdb, source, repoDir);
  const only = files.filter((file) => !parts.includes(file));
  const { sql } = await parquetRelation(duckdb, source, repoDir, { only });
  const [row] = await duckdb.query(
    `SELECT count(*)::DOUBLE AS n FROM (${sql}) WHERE ${matchSql(source, keyValues)}`,
  );
  return Number(row?.['n']);
}

/** A file or folder that is still to come; of a glob and a remote path DuckDB has to tell. */
async function isMissing({ path }: ParquetSource, repoDir: string): Promise<boolean> {
  if (/[*?[]|:\/\//.test(path)) return false;
  return stat(resolve(repoDir, path)).then(
    () => false,
    (thrown: NodeJS.ErrnoException) => thrown.code === 'ENOENT',
  );
}

function matchSql(
  { schema }: Pick<TopicSource, 'schema'>,
  keyValues: Readonly<Record<string, FieldValue>>,
): string {
  return Object.entries(keyValues)
    .map(([key, value]) => {
      const literal = fieldLiteral(schema[key] as FieldType, value);
      return `${quoteIdentifier(key)} = ${literal}`;
    })
    .join(' AND ');
}

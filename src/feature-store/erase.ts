/**
 * Everything that is stored of one entity, removed: from the log first, so that no replay brings it
 * back, then from history, from the online store, and from the files of both stores. A stop in
 * between leaves some of it; erasing again removes the rest.
 */
import { reclaimSegments } from '../checkpoint/index.ts';
import { keyCoercerOf } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import type { Catalog, Entity, FeatureView, TopicSource } from '../definition/index.ts';
import { fieldLiteral, quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { eraseEntity } from '../online/index.ts';
import { byRange, parquetRelation } from '../segment/index.ts';
import { eraseFromLog, type LogErasure } from './erase-from-log.ts';
import type { Resources } from './resources.ts';

export interface EraseOptions {
  readonly entity: Entity;
  /** A value of each join key of the entity. */
  readonly keyValues: Readonly<Record<string, unknown>>;
  /** Only counts. Default false. */
  readonly dryRun?: boolean;
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
  /** Files of others that hold rows of the entity: they are read, and never written. */
  readonly batchHistory: readonly { readonly source: string; readonly rows: number }[];
}

/** @throws FreshetError INVALID_ARGUMENT for join keys that are missing or none, VALUE_TYPE */
export async function erase(
  resources: Resources,
  catalog: Catalog,
  { entity, keyValues: given, dryRun = false }: EraseOptions,
): Promise<EraseResult> {
  const keyValues = requireKeyValues(entity, given);
  const views = [...catalog.views.values()].filter((view) =>
    view.entities.some(({ name }) => name === entity.name),
  );
  const sources = [...new Set(views.flatMap(({ streamSource }) => streamSource ?? []))];
  const log = await eraseFromLog(resources, { catalog, views, sources, keyValues, dryRun });
  const segments = [];
  for (const source of sources) {
    segments.push(await eraseFromSegments(resources, source, keyValues, dryRun));
  }
  const state = await resources.state();
  const online = [];
  for (const view of views) {
    const entities = await eraseEntity(state, view, keyValues, { dryRun });
    online.push({ view: view.name, entities });
  }
  if (!dryRun) {
    await state.kv.purge();
    await resources.reopenState();
  }
  const batchHistory = await countBatchHistory(resources, views, keyValues);
  return { entity: entity.name, keyValues, online, segments, log, batchHistory };
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

async function countBatchHistory(
  resources: Resources,
  views: readonly FeatureView[],
  keyValues: Readonly<Record<string, FieldValue>>,
): Promise<EraseResult['batchHistory']> {
  const duckdb = await resources.duckdb();
  const sources = [...new Set(views.flatMap(({ batchSource }) => batchSource ?? []))];
  const found = [];
  for (const source of sources) {
    const { sql } = await parquetRelation(duckdb, source, resources.config.repoDir);
    const [row] = await duckdb.query(
      `SELECT count(*)::DOUBLE AS n FROM (${sql}) WHERE ${matchSql(source, keyValues)}`,
    );
    found.push({ source: source.name, rows: Number(row?.['n']) });
  }
  return found.filter(({ rows }) => rows > 0);
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

/**
 * What the plan of a join goes by: how many rows and entities a view has. Of many entities a sample is
 * counted, by the hash of the key, with all rows of an entity or none: Parquet keeps keys in
 * dictionaries, so that a file is gone through at some ten million rows in a hundredth of a second,
 * where the times of its rows alone would take ten times as long.
 */
import { quoteIdentifier, type SqlRow } from '../duckdb/index.ts';
import type { PlannedRead } from '../transform/index.ts';
import type { FileCounts, ReadFacts, TimeBounds } from './join-plan.ts';
import type { LabelSource } from './join-sql.ts';
import { numberOrNull } from './load-query.ts';
import { type RowFilter, type RowRelation, rowsQuery } from './row-relation.ts';

/** One entity in so many is in the sample. */
const SAMPLED_OF = 64;
/** Fewer in the sample say too little of all. */
const SAMPLED_MIN = 256;

/** One view of a request with the rows it has now. */
export interface SourcedRead {
  readonly read: PlannedRead;
  readonly relations: readonly RowRelation[];
  readonly labels: LabelSource;
}

/** Answers a query of one row. */
export type AskRow = (sql: string) => Promise<SqlRow | undefined>;

/** Facts of the rows that a filter lets through, of all entities. */
export async function readFacts(
  ask: AskRow,
  sourced: SourcedRead,
  filter: RowFilter,
): Promise<ReadFacts> {
  const { read, relations, labels } = sourced;
  const files = fileCounts(relations, filter);
  const sampled = read.keys.length === 0 ? null : await sampledFacts(ask, sourced, filter);
  if (sampled !== null) return { ...sampled, files };
  const rows = await ask(rowsSql(read, relations, filter));
  const keys = await ask(
    `SELECT ${approximateKeys(labels.keyColumns)} AS entities FROM ${labels.table}`,
  );
  return {
    rowCount: Number(rows?.['rows']),
    entityCount: Number(rows?.['entities']),
    labelEntityCount: Number(keys?.['entities']),
    minTimeUs: numberOrNull(rows?.['oldest']),
    maxTimeUs: numberOrNull(rows?.['newest']),
    files,
  };
}

function rowsSql(
  { keys }: PlannedRead,
  relations: readonly RowRelation[],
  filter: RowFilter,
): string {
  const rows = rowsQuery({ keys, features: [] }, relations, filter, 'parts');
  return `SELECT count(*) AS rows, ${approximateKeys(keys.map((_, i) => `k${i}`))} AS entities, min(e) AS oldest, max(e) AS newest FROM (${rows.sql})`;
}

/** Null where there are few entities. Rows are taken to be spread evenly over the time they span. */
async function sampledFacts(
  ask: AskRow,
  { read, relations, labels }: SourcedRead,
  bounds: TimeBounds,
): Promise<Omit<ReadFacts, 'files'> | null> {
  const columns = read.keys.map(({ key }) => quoteIdentifier(key));
  const sample = await ask(
    `SELECT count(*) AS rows, count(DISTINCT ${keyOf(columns)}) AS entities FROM (${relations
      .map(({ sqlWithin }) => `SELECT ${columns.join(', ')} FROM (${sqlWithin(bounds)})`)
      .join(' UNION ALL ')}) WHERE ${isSampled(columns)}`,
  );
  const entities = Number(sample?.['entities']);
  if (entities < SAMPLED_MIN) return null;
  const keys = await ask(
    `SELECT count(DISTINCT ${keyOf(labels.keyColumns)}) AS entities FROM ${labels.table} WHERE ${isSampled(labels.keyColumns)}`,
  );
  const times = await ask(
    `SELECT min(oldest) AS oldest, max(newest) AS newest FROM (${relations
      .map(({ sqlWithin, eventTime }) => {
        const time = quoteIdentifier(eventTime);
        return `SELECT epoch_us(min(${time})) AS oldest, epoch_us(max(${time})) AS newest FROM (${sqlWithin(bounds)})`;
      })
      .join(' UNION ALL ')})`,
  );
  const [oldestUs, newestUs] = [Number(times?.['oldest']), Number(times?.['newest'])];
  const minTimeUs = Math.max(oldestUs, bounds.fromUs ?? oldestUs);
  const maxTimeUs = Math.max(minTimeUs, Math.min(newestUs, bounds.toUs ?? newestUs));
  const share = newestUs > oldestUs ? (maxTimeUs - minTimeUs) / (newestUs - oldestUs) : 1;
  return {
    rowCount: Math.round(Number(sample?.['rows']) * SAMPLED_OF * Math.min(1, share)),
    entityCount: entities * SAMPLED_OF,
    labelEntityCount: Number(keys?.['entities']) * SAMPLED_OF,
    minTimeUs,
    maxTimeUs,
  };
}

/** The same entities among rows and among labels. */
function isSampled(columns: readonly string[]): string {
  return `hash(${columns.join(', ')}) % ${SAMPLED_OF} = 0`;
}

function approximateKeys(columns: readonly string[]): string {
  return columns.length === 0 ? '1' : `approx_count_distinct(${keyOf(columns)})`;
}

function keyOf(columns: readonly string[]): string {
  return columns.length === 1 ? (columns[0] as string) : `row(${columns.join(', ')})`;
}

function fileCounts(relations: readonly RowRelation[], bounds: TimeBounds): FileCounts {
  const counts = relations.map((relation) => relation.filesWithin(bounds));
  return {
    read: counts.reduce((sum, { read }) => sum + read, 0),
    of: counts.reduce((sum, { of }) => sum + of, 0),
  };
}

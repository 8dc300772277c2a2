import { NO_CREATED_TIME_US, RANK_STREAM, type SourceRank } from '../core/row-order.ts';
import { quoteIdentifier } from '../duckdb/index.ts';
import type { PlannedRead } from '../transform/index.ts';
import type { TimeBounds } from './join-plan.ts';

/** The rows of one source of a view as SQL, and which columns say when each row came. */
export interface RowRelation {
  /**
   * A query with all fields of the source under their names and declared types, and the system
   * columns of a segment: `_partition` and `_offset`, which tell any two rows apart, and `_late`.
   * Rows out of the bounds may be left out.
   */
  readonly sqlWithin: (bounds: TimeBounds) => string;
  /** Files that the query reads, of those that there are. */
  readonly filesWithin: (bounds: TimeBounds) => { readonly read: number; readonly of: number };
  /** How far the rows go; null where nothing can say it. */
  readonly known: KnownOffsets | KnownFiles | null;
  readonly rank: SourceRank;
  /** Columns of type TIMESTAMP. Rows without an event time are no rows. */
  readonly eventTime: string;
  /** Null where the source declares none. */
  readonly createdTime: string | null;
  readonly arrivalTime: string;
}

/** Rows of a topic below an offset of each partition. */
export interface KnownOffsets {
  readonly topic: string;
  readonly endOffsets: readonly number[];
}

/** Rows of some files of a Parquet source, by paths that are relative to the repository. */
export interface KnownFiles {
  readonly source: string;
  readonly files: readonly string[];
}

/** Which rows of a view count, before any label is looked at. */
export interface RowFilter {
  readonly fromUs: number | null;
  readonly toUs: number | null;
  /** Rows further behind stream time are left out; null: none is. */
  readonly lateByUsMax: number | null;
  /** Whether the arrival is read; rows without one are left out then. */
  readonly needsArrival: boolean;
  /** A query of the distinct keys to keep, with columns k0, k1, …; null: all are kept. */
  readonly keysSql: string | null;
}

/** How many columns tell the order of rows apart: HUGEINT `o`, then BIGINT `t` where `o` can tie. */
export interface RowsQuery {
  readonly sql: string;
  /** Whether rows have a created time, so that `o` holds it and `t` decides behind it. */
  readonly hasCreatedTime: boolean;
}

/** Where the tie-break begins inside its BIGINT: offsets stay below 2^46, partitions below 2^16. */
const PARTITION_SHIFT = 46;
const RANK_SHIFT = 62;

/** The greatest BIGINT: at or above every tie-break, created time and offset. */
const GREATEST_BIGINT = '9223372036854775807';
const TWO_TO_64 = '18446744073709551616::HUGEINT';

/**
 * All rows of one read as one query with columns
 *
 * - `k0, k1, …` the join keys in the view's order
 * - `e` event time, BIGINT microseconds
 * - `o` HUGEINT, `t` BIGINT: `(o, t)` is the order of core/row-order.ts. With a created time
 *   `o = e * 2^64 + created` and `t` is the tie-break `rank, partition, offset`; without one the
 *   tie-break moves into `o`, and `t` is left out: one number compares faster than a pair.
 *   In `parts` it is `(e, c, t)`, without `c` where no source has a created time: rows that are
 *   few when they are compared do without the large number.
 * - `a` arrival, BIGINT microseconds, where the filter asks for it
 * - `f0, f1, …` the features of the read
 */
export function rowsQuery(
  read: Pick<PlannedRead, 'keys' | 'features'>,
  relations: readonly RowRelation[],
  filter: RowFilter,
  order: 'numbers' | 'parts' = 'numbers',
): RowsQuery {
  const hasCreatedTime = relations.some((relation) => relation.createdTime !== null);
  const orderOf = order === 'parts' ? orderParts : orderColumns;
  const parts = relations.map((relation) =>
    relationSql(read, relation, filter, orderOf(relation, hasCreatedTime)),
  );
  return { sql: parts.join(' UNION ALL '), hasCreatedTime };
}

/** `(o, t)` of the greatest row that a query at `timeSql` (BIGINT microseconds) may see. */
export function greatestOrderSql(timeSql: string, hasCreatedTime: boolean): string {
  const order = orderSql(timeSql, GREATEST_BIGINT);
  return hasCreatedTime ? `row(${order}, ${GREATEST_BIGINT})` : order;
}

/** The order of a row of `rowsQuery` as one value that `greatestOrderSql` compares with. */
export function rowOrderSql(hasCreatedTime: boolean, prefix = ''): string {
  return hasCreatedTime ? `row(${prefix}o, ${prefix}t)` : `${prefix}o`;
}

function relationSql(
  { keys, features }: Pick<PlannedRead, 'keys' | 'features'>,
  relation: RowRelation,
  filter: RowFilter,
  order: readonly string[],
): string {
  const columns = [
    ...keys.map(({ key }, i) => `r.${quoteIdentifier(key)} AS k${i}`),
    `${microseconds(relation.eventTime)} AS e`,
    ...order,
    ...(filter.needsArrival ? [`${microseconds(relation.arrivalTime)} AS a`] : []),
    ...features.map((feature, i) => `r.${quoteIdentifier(feature)} AS f${i}`),
  ];
  const kept =
    filter.keysSql === null || keys.length === 0
      ? ''
      : ` SEMI JOIN (${filter.keysSql}) s ON ${keys
          .map(({ key }, i) => `r.${quoteIdentifier(key)} = s.k${i}`)
          .join(' AND ')}`;
  // A key with a null part is no key; DuckDB's ASOF join matches null with null in some plans.
  const conditions = [
    ...keys.map(({ key }) => `r.${quoteIdentifier(key)} IS NOT NULL`),
    ...filterConditions(relation, filter),
  ].join(' AND ');
  return `SELECT ${columns.join(', ')} FROM (${relation.sqlWithin(filter)}) r${kept} WHERE ${conditions}`;
}

function orderColumns(relation: RowRelation, hasCreatedTime: boolean): string[] {
  const event = microseconds(relation.eventTime);
  const tie = tieSql(relation.rank);
  if (!hasCreatedTime) return [`${orderSql(event, tie)} AS o`];
  return [`${orderSql(event, createdSql(relation))} AS o`, `${tie} AS t`];
}

/** The order behind `e`, unmixed: cheaper to make than to compare. */
function orderParts(relation: RowRelation, hasCreatedTime: boolean): string[] {
  const tie = `${tieSql(relation.rank)} AS t`;
  return hasCreatedTime ? [`${createdSql(relation)} AS c`, tie] : [tie];
}

function createdSql({ createdTime }: RowRelation): string {
  return createdTime === null
    ? `${NO_CREATED_TIME_US}::BIGINT`
    : `coalesce(${microseconds(createdTime)}, ${NO_CREATED_TIME_US})`;
}

/** One number for two: `minor` is a BIGINT, so that no two pairs share a sum. */
function orderSql(major: string, minor: string): string {
  return `((${major})::HUGEINT * ${TWO_TO_64} + ${minor})`;
}

function tieSql(rank: SourceRank): string {
  const base = rank === RANK_STREAM ? `(1::BIGINT << ${RANK_SHIFT}) + ` : '';
  return `(${base}(r._partition::BIGINT << ${PARTITION_SHIFT}) + r._offset)`;
}

/** Bounds are on the bare column, so that row groups of Parquet files can be skipped. */
function filterConditions(relation: RowRelation, filter: RowFilter): string[] {
  const time = `r.${quoteIdentifier(relation.eventTime)}`;
  const conditions = [`${time} IS NOT NULL`];
  if (filter.fromUs !== null) conditions.push(`${time} >= make_timestamp(${filter.fromUs})`);
  if (filter.toUs !== null) conditions.push(`${time} <= make_timestamp(${filter.toUs})`);
  if (filter.lateByUsMax !== null) conditions.push(`r._late <= ${filter.lateByUsMax}`);
  if (filter.needsArrival)
    conditions.push(`r.${quoteIdentifier(relation.arrivalTime)} IS NOT NULL`);
  return conditions;
}

function microseconds(column: string): string {
  return `epoch_us(r.${quoteIdentifier(column)})`;
}

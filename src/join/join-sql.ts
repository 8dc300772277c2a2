/**
 * The statement that joins one view to the labels.
 *
 * Labels are a table with `q` (the label's time, BIGINT microseconds) and the entity columns `c0, c1,
 * …`; its `rowid` is the label's place. A label at q sees the greatest row with `e <= q` (`e <= q - 1` strictly
 * before), of those that had arrived by q where that is asked for, and its values count while
 * `q - e <= ttl`.
 */
import type { PlannedRead } from '../transform/index.ts';
import type { JoinRules, ReadPlan } from './join-plan.ts';
import {
  greatestOrderSql,
  type RowFilter,
  type RowRelation,
  type RowsQuery,
  rowOrderSql,
  rowsQuery,
} from './row-relation.ts';

/** Where the labels are, and which of their columns are the join keys of the read. */
export interface LabelSource {
  readonly table: string;
  /** `c3` for the view's first join key and so on. */
  readonly keyColumns: readonly string[];
}

/** A read with the plan for it. */
export interface ReadJoin {
  readonly read: PlannedRead;
  readonly relations: readonly RowRelation[];
  readonly plan: ReadPlan;
  readonly rules: JoinRules;
  readonly labels: LabelSource;
}

/** Columns `f0, f1, …`, one row a label, in label order: null where no row counts. */
export function readJoinSql(join: ReadJoin): string {
  const features = join.read.features.map((_, i) => `f${i}`).join(', ');
  const unordered = `(${unorderedJoinSql(join)})`;
  const labels = `(SELECT rowid AS id FROM ${join.labels.table})`;
  const from =
    join.plan.strategy === 'asof' ? unordered : `${labels} LEFT JOIN ${unordered} USING (id)`;
  return `SELECT ${features} FROM ${from} ORDER BY id`;
}

/** The same in no order, with the label's place as `id`; `range` leaves labels without a row out. */
export function unorderedJoinSql(join: ReadJoin): string {
  return join.plan.strategy === 'asof' ? asofSql(join) : rangeSql(join);
}

export function rowFilter(
  read: PlannedRead,
  plan: Pick<ReadPlan, 'bounds' | 'onlyLabelledEntities'>,
  rules: JoinRules,
  labels: LabelSource,
): RowFilter {
  const keys = labels.keyColumns.map((column, i) => `${column} AS k${i}`).join(', ');
  return {
    ...plan.bounds,
    lateByUsMax: rules.late === 'exclude' ? read.view.graceUs : null,
    needsArrival: rules.knownAt === 'arrival',
    keysSql: plan.onlyLabelledEntities ? `SELECT DISTINCT ${keys} FROM ${labels.table}` : null,
  };
}

function asofSql({ read, relations, plan, rules, labels }: ReadJoin): string {
  const rows = rowsQuery(read, relations, rowFilter(read, plan, rules, labels), 'numbers');
  const { hasCreatedTime } = rows;
  const ttlUs = read.view.ttlUs;
  const features = read.features.map((_, i) =>
    ttlUs === null ? `r.f${i}` : `CASE WHEN r.e >= l.q - ${ttlUs} THEN r.f${i} END AS f${i}`,
  );
  const latest = greatestOrderSql(latestSql(rules, 'q'), hasCreatedTime);
  const order = rowOrderSql(hasCreatedTime);
  const isBitemporal = rules.knownAt === 'arrival';
  const labelKey = isBitemporal ? `row(q, ${latest})` : latest;
  const rowKey = isBitemporal ? `row(known, ${order})` : order;
  const rowsSql = isBitemporal ? newestWhenKnownSql(read, rows) : rows.sql;
  const keys = labels.keyColumns.map((column, i) => `${column} AS k${i}`);
  const on = [...keyEquality(read), 'l.m >= r.m'].join(' AND ');
  return `SELECT ${['l.id', ...features].join(', ')}
FROM (SELECT ${['rowid AS id', 'q', ...keys].join(', ')}, ${labelKey} AS m FROM ${labels.table}) l
ASOF LEFT JOIN (SELECT *, ${rowKey} AS m FROM (${rowsSql})) r
ON ${on}`;
}

/**
 * «Known by q» is a second inequality, which an ASOF join cannot take. But among the rows of an
 * entity in the order in which they become known, only those greater than all before them can ever
 * be the answer; among these, the greatest known by q is the last one known. `e` is part of `known`,
 * so that strictly before only rows known at q itself can be too young, and their order says so.
 */
function newestWhenKnownSql(read: PlannedRead, { sql, hasCreatedTime }: RowsQuery): string {
  const order = rowOrderSql(hasCreatedTime);
  const partition = read.keys.length === 0 ? '' : `PARTITION BY ${keyNames(read)} `;
  return `SELECT * EXCLUDE (m, before) FROM (
  SELECT *, max(m) OVER (${partition}ORDER BY known, m ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM (SELECT *, greatest(e, a) AS known, ${order} AS m FROM (${sql}))
) WHERE before IS NULL OR m > before`;
}

function rangeSql({ read, relations, plan, rules, labels }: ReadJoin): string {
  const rows = rowsQuery(read, relations, rowFilter(read, plan, rules, labels), 'parts');
  const { bucketUs } = plan;
  const ttlUs = read.view.ttlUs;
  const features = read.features.map((_, i) => `f${i}`).join(', ');
  const keys = labels.keyColumns.map((column, i) => `${column} AS k${i}`);
  const latest = latestSql(rules, 'l.q');
  const on = [...keyEquality(read), `r.e <= ${latest}`];
  if (rules.knownAt === 'arrival') on.push('r.a <= l.q');
  if (ttlUs !== null) on.push('l.b = r.b', `r.e >= l.q - ${ttlUs}`);
  const rowBucket = bucketUs === null ? '' : `, e // ${bucketUs} AS b`;
  const order = rows.hasCreatedTime ? 'r.e DESC, r.c DESC, r.t DESC' : 'r.e DESC, r.t DESC';
  return `SELECT id, ${features} FROM (
    SELECT l.id, ${features}, row_number() OVER (PARTITION BY l.id ORDER BY ${order}) AS place
    FROM (${bucketedLabelsSql(labels.table, ['rowid AS id', 'q', ...keys], ttlUs, bucketUs)}) l
    JOIN (SELECT *${rowBucket} FROM (${rows.sql})) r
    ON ${on.join(' AND ')}
  ) WHERE place = 1`;
}

/** A window of one TTL touches one bucket, or two: then the label is there twice. */
function bucketedLabelsSql(
  table: string,
  columns: readonly string[],
  ttlUs: number | null,
  bucketUs: number | null,
): string {
  if (ttlUs === null || bucketUs === null) return `SELECT ${columns.join(', ')} FROM ${table}`;
  const [newest, oldest] = [`q // ${bucketUs}`, `(q - ${ttlUs}) // ${bucketUs}`];
  return `SELECT ${[...columns, `${newest} AS b`].join(', ')} FROM ${table}
    UNION ALL SELECT ${[...columns, `${oldest} AS b`].join(', ')} FROM ${table} WHERE ${oldest} <> ${newest}`;
}

/** The greatest event time that a label sees. */
function latestSql(rules: JoinRules, time: string): string {
  return rules.strictlyBefore ? `${time} - 1` : time;
}

function keyEquality(read: PlannedRead): string[] {
  return read.keys.map((_, i) => `l.k${i} = r.k${i}`);
}

function keyNames(read: PlannedRead): string {
  return read.keys.map((_, i) => `k${i}`).join(', ');
}

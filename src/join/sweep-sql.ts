/**
 * The two sorted streams of a sweep. Labelled entities are numbered first, so that rows of other
 * entities are dropped before the sort and the streams meet by a number. Numbers are DOUBLEs, which
 * hold microseconds and offsets whole and cost no bigint a row.
 */
import type { FieldType } from '../core/field-type.ts';
import { NO_CREATED_TIME_US } from '../core/row-order.ts';
import { fieldTypeToSql, quoteIdentifier } from '../duckdb/index.ts';
import type { PlannedRead } from '../transform/index.ts';
import type { JoinRules } from './join-plan.ts';
import type { LabelSource } from './join-sql.ts';
import type { RowRelation } from './row-relation.ts';

/** A field of the source; one that no window reads is not worth sorting. */
export interface SweptField {
  readonly name: string;
  readonly type: FieldType;
  readonly isRead: boolean;
}

/** Columns `n` (1, 2, …) and `k0, k1, …`; one row for a view without join keys. */
export function entitiesSql(read: PlannedRead, labels: LabelSource, table: string): string {
  const keys = labels.keyColumns.map((column, i) => `${column} AS k${i}`);
  if (keys.length === 0) return `CREATE OR REPLACE TABLE ${table} AS SELECT 1::BIGINT AS n`;
  const notNull = read.keys.map((_, i) => `k${i} IS NOT NULL`).join(' AND ');
  return (
    `CREATE OR REPLACE TABLE ${table} AS SELECT row_number() OVER () AS n, * FROM ` +
    `(SELECT DISTINCT ${keys.join(', ')} FROM ${labels.table}) WHERE ${notNull}`
  );
}

/** Columns `n`, `id`, `q`, by entity and time; labels with a null join key are left out. */
export function sweptLabelsSql(
  read: PlannedRead,
  labels: LabelSource,
  rules: JoinRules,
  entities: string,
): string {
  const on = read.keys.map((_, i) => `l.${labels.keyColumns[i]} = x.k${i}`).join(' AND ') || 'true';
  const q = rules.strictlyBefore ? 'l.q - 1' : 'l.q';
  return `SELECT x.n::DOUBLE AS n, l.rowid AS id, (${q})::DOUBLE AS q FROM ${labels.table} l JOIN ${entities} x ON ${on} ORDER BY x.n, ${q}, l.rowid`;
}

/**
 * Columns `n`, `known` (when a label may see the row), `e`, `created`, `late`, `rank`, `_partition`,
 * `_offset`, and the fields of the source; by entity and `known`.
 */
export function sweptRowsSql(
  read: PlannedRead,
  relations: readonly RowRelation[],
  fields: readonly SweptField[],
  options: { readonly rules: JoinRules; readonly toUs: number | null; readonly entities: string },
): string {
  const parts = relations.map((relation) => relationSql(read, relation, fields, options));
  return `${parts.join(' UNION ALL ')} ORDER BY n, known`;
}

function relationSql(
  read: PlannedRead,
  relation: RowRelation,
  fields: readonly SweptField[],
  {
    rules,
    toUs,
    entities,
  }: { readonly rules: JoinRules; readonly toUs: number | null; readonly entities: string },
): string {
  const time = `r.${quoteIdentifier(relation.eventTime)}`;
  const e = `epoch_us(${time})`;
  const arrival = `epoch_us(r.${quoteIdentifier(relation.arrivalTime)})`;
  const isBitemporal = rules.knownAt === 'arrival';
  const created =
    relation.createdTime === null
      ? `${NO_CREATED_TIME_US}::BIGINT`
      : `coalesce(epoch_us(r.${quoteIdentifier(relation.createdTime)}), ${NO_CREATED_TIME_US})`;
  const on =
    read.keys.map(({ key }, i) => `r.${quoteIdentifier(key)} = x.k${i}`).join(' AND ') || 'true';
  const columns = [
    'x.n::DOUBLE AS n',
    `${isBitemporal ? `greatest(${e}, ${arrival})` : e}::DOUBLE AS known`,
    `${e}::DOUBLE AS e`,
    `${created}::DOUBLE AS created`,
    `${rules.late === 'include' ? '0' : 'r._late'}::DOUBLE AS late`,
    `${relation.rank}::INTEGER AS rank`,
    'r._partition AS _partition',
    'r._offset::DOUBLE AS _offset',
    ...fields.map(({ name, type, isRead }, i) =>
      isRead
        ? `r.${quoteIdentifier(name)} AS f${i}`
        : `CAST(NULL AS ${fieldTypeToSql(type)}) AS f${i}`,
    ),
  ];
  const conditions = [`${time} IS NOT NULL`];
  if (toUs !== null) conditions.push(`${time} <= make_timestamp(${toUs})`);
  if (isBitemporal) conditions.push(`${arrival} IS NOT NULL`);
  if (rules.late === 'exclude') conditions.push(`r._late <= ${read.view.graceUs}`);
  return (
    `SELECT ${columns.join(', ')} FROM (${relation.sqlWithin({ fromUs: null, toUs })}) r JOIN ${entities} x ON ${on} ` +
    `WHERE ${conditions.join(' AND ')}`
  );
}

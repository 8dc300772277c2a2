/**
 * Labels where no entity rows are given: every distinct (entity, event time) at which a requested
 * view has a row inside a range of time, as Feast does without an entity_df. A row that has
 * outlived its view's TTL by the end of the range is left out, as there.
 */
import type { Clock } from '../core/clock.ts';
import { type TimestampInput, toTimestampUs, US_PER_MS, US_PER_SECOND } from '../core/time.ts';
import { type DuckdbConnection, fieldTypeToSql } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import type { FeaturePlan, PlannedRead } from '../transform/index.ts';
import { columnRoles, EVENT_TIMESTAMP, type LabelColumn, type LabelTable } from './entity-rows.ts';
import type { JoinRules } from './join-plan.ts';
import { type RowRelation, rowsQuery } from './row-relation.ts';

/** Both ends belong to it. */
export interface TimeRange {
  readonly startUs: number;
  readonly endUs: number;
}

export interface SpineRequest {
  readonly features: FeaturePlan;
  /** By read of the plan. */
  readonly relations: readonly (readonly RowRelation[])[];
  readonly rules: JoinRules;
  readonly range: TimeRange;
}

const DEFAULT_RANGE_US = 30 * 86_400 * US_PER_SECOND;

/**
 * The end defaults to now, the start to the longest TTL of the views before the end, 30 days where
 * none has a TTL.
 * @throws FreshetError INVALID_ARGUMENT, VALUE_TYPE
 */
export function resolveRange(
  { reads }: FeaturePlan,
  startTime: TimestampInput | undefined,
  endTime: TimestampInput | undefined,
  clock: Clock,
): TimeRange {
  const endUs = endTime === undefined ? clock.nowMs() * US_PER_MS : toTimestampUs(endTime);
  const ttlUs = Math.max(0, ...reads.map(({ view }) => view.ttlUs ?? 0));
  const startUs =
    startTime === undefined ? endUs - (ttlUs || DEFAULT_RANGE_US) : toTimestampUs(startTime);
  if (startUs > endUs) {
    throw new FreshetError('INVALID_ARGUMENT', 'the start of the range is after its end', {
      next: 'Give a start before the end.',
    });
  }
  return { startUs, endUs };
}

/** Columns: the join keys in the order of the plan, then event_timestamp; rows in order of time. */
export async function loadSpine(
  connection: DuckdbConnection,
  table: string,
  request: SpineRequest,
): Promise<LabelTable> {
  const { features: plan, relations, rules, range } = request;
  const columns = [
    ...plan.joinKeys.map(({ column, type }): LabelColumn => ({ name: column, type })),
    { name: EVENT_TIMESTAMP, type: 'timestamp' } as const,
  ];
  const names = columns.map(({ name }) => name);
  columnRoles(plan, names, []);
  const parts = plan.reads.map((read, i) =>
    spinePartSql(plan, read, relations[i] as readonly RowRelation[], rules, range),
  );
  const order = ['q', ...plan.joinKeys.map((_, i) => `c${i}`)].join(', ');
  const time = `c${plan.joinKeys.length}`;
  await connection.run(
    `CREATE TABLE ${table} AS SELECT *, make_timestamp(q) AS ${time}
     FROM (SELECT * FROM (${parts.join(' UNION ')}) ORDER BY ${order})`,
  );
  const [facts] = await connection.query(`SELECT count(*) AS n FROM ${table}`);
  return {
    table,
    columns,
    timeColumn: EVENT_TIMESTAMP,
    rowCount: Number(facts?.['n']),
    minTimeUs: range.startUs,
    maxTimeUs: range.endUs,
  };
}

/** A join key that a view does not have is null in its labels, and matches nothing there. */
function spinePartSql(
  plan: FeaturePlan,
  read: PlannedRead,
  relations: readonly RowRelation[],
  rules: JoinRules,
  { startUs, endUs }: TimeRange,
): string {
  const { ttlUs, graceUs } = read.view;
  const rows = rowsQuery({ keys: read.keys, features: [] }, relations, {
    fromUs: ttlUs === null ? startUs : Math.max(startUs, endUs - ttlUs),
    toUs: endUs,
    lateByUsMax: rules.late === 'exclude' ? graceUs : null,
    needsArrival: false,
    keysSql: null,
  });
  const keys = plan.joinKeys.map(({ column, type }, i) => {
    const own = read.keys.findIndex((key) => key.column === column);
    return own === -1 ? `CAST(NULL AS ${fieldTypeToSql(type)}) AS c${i}` : `k${own} AS c${i}`;
  });
  return `SELECT DISTINCT ${['e AS q', ...keys].join(', ')} FROM (${rows.sql})`;
}

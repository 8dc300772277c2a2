import type { DuckdbConnection, SqlRow } from '../duckdb/index.ts';
import type { PlannedRead } from '../transform/index.ts';
import type { LabelTable } from './entity-rows.ts';
import {
  type FileCounts,
  type JoinPlan,
  type JoinRules,
  type JoinStrategy,
  planRead,
  type ReadPlan,
  type TimeBounds,
  timeBounds,
} from './join-plan.ts';
import { factsSql, type LabelSource, labelEntitiesSql, rowFilter } from './join-sql.ts';
import { numberOrNull } from './load-query.ts';
import type { RowRelation } from './row-relation.ts';

/** One view of a request with the rows it has now. */
export interface SourcedRead {
  readonly read: PlannedRead;
  readonly relations: readonly RowRelation[];
  readonly labels: LabelSource;
}

/** Counts the rows and entities of each view, and plans by them. */
export async function gatherPlan(
  connection: DuckdbConnection,
  labels: LabelTable,
  reads: readonly SourcedRead[],
  rules: JoinRules,
  strategy: JoinStrategy | null,
): Promise<JoinPlan> {
  const plans: ReadPlan[] = [];
  // Views of one source and one time to live have the same facts.
  const asked = new Map<string, Promise<SqlRow | undefined>>();
  const ask = (sql: string): Promise<SqlRow | undefined> => {
    const known = asked.get(sql) ?? connection.query(sql).then(([row]) => row);
    asked.set(sql, known);
    return known;
  };
  for (const sourced of reads) {
    const { read, relations } = sourced;
    const everyEntity = {
      bounds: timeBounds(labels, read.view.ttlUs),
      onlyLabelledEntities: false,
    };
    const filter = rowFilter(read, everyEntity, rules, sourced.labels);
    const rows = await ask(factsSql(read, relations, filter));
    const keys = await ask(labelEntitiesSql(sourced.labels));
    const facts = {
      rowCount: Number(rows?.['rowCount']),
      entityCount: Number(rows?.['entityCount']),
      labelEntityCount: Number(keys?.['entityCount']),
      minTimeUs: numberOrNull(rows?.['minTimeUs']),
      maxTimeUs: numberOrNull(rows?.['maxTimeUs']),
      files: fileCounts(relations, everyEntity.bounds),
    };
    plans.push(planRead(read, labels, facts, strategy));
  }
  return { rules, labels: labelFacts(labels), reads: plans };
}

function fileCounts(relations: readonly RowRelation[], bounds: TimeBounds): FileCounts {
  const counts = relations.flatMap((relation) => relation.filesWithin(bounds) ?? []);
  return {
    read: counts.reduce((sum, { read }) => sum + read, 0),
    of: counts.reduce((sum, { of }) => sum + of, 0),
  };
}

function labelFacts({ rowCount, minTimeUs, maxTimeUs }: LabelTable): JoinPlan['labels'] {
  return { rowCount, minTimeUs, maxTimeUs };
}

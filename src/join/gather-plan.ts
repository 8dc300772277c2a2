import type { DuckdbConnection, SqlRow } from '../duckdb/index.ts';
import type { LabelTable } from './entity-rows.ts';
import {
  type JoinPlan,
  type JoinRules,
  type JoinStrategy,
  planRead,
  type ReadPlan,
  timeBounds,
} from './join-plan.ts';
import { rowFilter } from './join-sql.ts';
import { type AskRow, readFacts, type SourcedRead } from './read-facts.ts';

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
  const ask: AskRow = (sql) => {
    const known = asked.get(sql) ?? connection.query(sql).then(([row]) => row);
    asked.set(sql, known);
    return known;
  };
  for (const sourced of reads) {
    const { read } = sourced;
    const everyEntity = {
      bounds: timeBounds(labels, read.view.ttlUs),
      onlyLabelledEntities: false,
    };
    const filter = rowFilter(read, everyEntity, rules, sourced.labels);
    plans.push(planRead(read, labels, await readFacts(ask, sourced, filter), strategy));
  }
  return { rules, labels: labelFacts(labels), reads: plans };
}

function labelFacts({ rowCount, minTimeUs, maxTimeUs }: LabelTable): JoinPlan['labels'] {
  return { rowCount, minTimeUs, maxTimeUs };
}

/**
 * Which statement joins which reads. Reads that would be the same statement but for their features,
 * as views of one source with one TTL are, go past the labels once, together.
 */
import { assert } from '../core/assert.ts';
import type { PlannedRead } from '../transform/index.ts';
import type { JoinPlan, JoinRules, ReadPlan } from './join-plan.ts';
import type { SourcedRead } from './read-facts.ts';

/** One statement: its table has one row a label, and columns `f0, f1, …` for the features. */
export interface JoinedReads {
  readonly table: string;
  /** With the features of all reads, those of the first read first. */
  readonly sourced: SourcedRead;
  readonly plan: ReadPlan;
  /** Indexes of the reads in the request. */
  readonly reads: readonly number[];
}

export function joinedReads(
  reads: readonly SourcedRead[],
  { rules, reads: plans }: JoinPlan,
  tableOf: (index: number) => string,
): JoinedReads[] {
  const found = new Map<string, JoinedReads>();
  for (const [i, sourced] of reads.entries()) {
    const plan = plans[i] as ReadPlan;
    // Windows of a view are one state, which rows move through: nothing of it is shared.
    const key = plan.strategy === 'sweep' ? `sweep ${i}` : statementKey(sourced, plan, rules);
    const known = found.get(key);
    if (known === undefined) {
      found.set(key, { table: tableOf(found.size), sourced, plan, reads: [i] });
    } else {
      const read = withFeatures(known.sourced.read, sourced.read);
      found.set(key, {
        ...known,
        sourced: { ...known.sourced, read },
        reads: [...known.reads, i],
      });
    }
  }
  return [...found.values()];
}

/** The SQL of a feature in the tables of the joined reads. */
export function featureSql(
  joined: readonly JoinedReads[],
  reads: readonly SourcedRead[],
  read: number,
  slot: number,
): string {
  const place = joined.find((candidate) => candidate.reads.includes(read));
  assert(place !== undefined, `read ${read} is joined nowhere`);
  let first = 0;
  for (const other of place.reads) {
    if (other === read) break;
    first += (reads[other] as SourcedRead).read.features.length;
  }
  return `${place.table}.f${first + slot}`;
}

function statementKey(
  { read, relations, labels }: SourcedRead,
  { strategy, bounds, bucketUs, onlyLabelledEntities }: ReadPlan,
  { late }: JoinRules,
): string {
  return JSON.stringify([
    [strategy, bounds, bucketUs, onlyLabelledEntities],
    [read.view.ttlUs, late === 'exclude' ? read.view.graceUs : null],
    [read.keys.map(({ key }) => key), labels.keyColumns],
    relations.map(({ sqlWithin, rank, eventTime, createdTime, arrivalTime }) => [
      sqlWithin(bounds),
      [rank, eventTime, createdTime, arrivalTime],
    ]),
  ]);
}

function withFeatures(read: PlannedRead, other: PlannedRead): PlannedRead {
  return {
    ...read,
    features: [...read.features, ...other.features],
    types: [...read.types, ...other.types],
  };
}

import { formatDuration, formatTimestampUs } from '../core/time.ts';
import type { PlannedRead } from '../transform/index.ts';
import type { JoinPlan, ReadPlan } from './join-plan.ts';

/** A plan for a person: one paragraph a view. */
export function explainPlan(
  { rules, labels, reads }: JoinPlan,
  planned: readonly PlannedRead[],
): string {
  const sees = rules.strictlyBefore ? 'rows before it' : 'rows at or before it';
  const known = rules.knownAt === 'arrival' ? ' that had arrived by then' : '';
  const late = LATE[rules.late];
  const lines = [
    `${count(labels.rowCount)} labels${rangeText(labels.minTimeUs, labels.maxTimeUs)}; each sees ${sees}${known}${late}`,
  ];
  reads.forEach((read, i) => {
    lines.push('', ...explainRead(read, planned[i] as PlannedRead));
  });
  return lines.join('\n');
}

const LATE: Readonly<Record<JoinPlan['rules']['late'], string>> = {
  served: '',
  exclude: ', no late rows',
  include: ', late rows too',
};

const HOW: Readonly<Record<ReadPlan['strategy'], string>> = {
  asof: 'labels and rows are sorted and walked once',
  range: 'labels are hashed, rows stream past them',
  sweep: 'windows move through the rows of each entity',
};

function explainRead(plan: ReadPlan, read: PlannedRead): string[] {
  const { facts, strategy, matchesPerLabel } = plan;
  const alias = plan.alias === plan.view ? '' : ` as ${plan.alias}`;
  const ttl = read.view.ttlUs === null ? 'no TTL' : `TTL ${formatDuration(read.view.ttlUs)}`;
  const keys = read.keys.map(({ key, column }) => (key === column ? key : `${key} = ${column}`));
  return [
    `${plan.view}${alias}: ${strategy} join (${HOW[strategy]})`,
    `  keys      ${keys.join(', ') || 'none: one global row'}`,
    `  rows      about ${count(facts.rowCount)} of about ${count(facts.entityCount)} entities${rangeText(facts.minTimeUs, facts.maxTimeUs)}`,
    `  files     ${count(facts.files.read)} of ${count(facts.files.of)}, by event time`,
    `  matches   about ${matchesPerLabel.toPrecision(3)} a label, ${ttl}`,
    `  entities  ${plan.onlyLabelledEntities ? `only the about ${count(facts.labelEntityCount)} of the labels` : 'all'}`,
    `  features  ${read.features.join(', ')}`,
  ];
}

function rangeText(minUs: number | null, maxUs: number | null): string {
  if (minUs === null || maxUs === null) return '';
  return `, ${formatTimestampUs(minUs)} to ${formatTimestampUs(maxUs)}`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

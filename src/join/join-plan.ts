/**
 * How each view of a request is joined to the labels. Pure: facts in, plan out.
 *
 * - `asof` sorts labels and rows by (entity, time) and walks both once. Its cost does not depend on
 *   the TTL.
 * - `range` cuts time into buckets, hashes the labels by (entity, bucket), streams the rows past them and keeps the greatest row of each label. It sorts only what matched, so it is
 *   faster and needs a third of the memory while few rows match a label; its cost grows with the
 *   matches, where `asof` stays as it is.
 *
 * - `sweep` is for windowed views: rows and labels of an entity in the order of time, through the
 *   code that keeps the online windows.
 *
 * docs/adr/0003-joins-are-planned-by-matches.md has the figures.
 */
import type { PlannedRead } from '../transform/index.ts';

export type JoinStrategy = 'asof' | 'range';
export type KnownAt = 'event' | 'arrival';
/**
 * `served`: as the online store counted them. Its newest row is the greatest, however late it came;
 * its windows take a late row while they are open. `exclude`: no late row; `include`: all of them.
 */
export type LateRows = 'served' | 'exclude' | 'include';

/** What a request says about which rows count. */
export interface JoinRules {
  /** Only rows before the label's time, not at it. */
  readonly strictlyBefore: boolean;
  /** `arrival`: only rows that had arrived by the label's time, too. */
  readonly knownAt: KnownAt;
  readonly late: LateRows;
}

/** The labels: entity rows, or the rows of the views themselves. */
export interface LabelFacts {
  readonly rowCount: number;
  /** Null without labels. */
  readonly minTimeUs: number | null;
  readonly maxTimeUs: number | null;
}

/** One view's rows inside the bounds, and the labels' keys for it. Counts may be estimates. */
export interface ReadFacts {
  readonly rowCount: number;
  readonly entityCount: number;
  readonly labelEntityCount: number;
  readonly minTimeUs: number | null;
  readonly maxTimeUs: number | null;
  /** Files whose event times meet the bounds, of those that there are. */
  readonly files: FileCounts;
}

/** Event times of the rows that any label can see; null: no bound. */
export interface TimeBounds {
  readonly fromUs: number | null;
  readonly toUs: number | null;
}

export const ALL_TIMES: TimeBounds = { fromUs: null, toUs: null };

export interface ReadPlan {
  readonly alias: string;
  readonly view: string;
  readonly strategy: JoinStrategy | 'sweep';
  readonly bounds: TimeBounds;
  /** Whether rows of entities without a label are dropped first. */
  readonly onlyLabelledEntities: boolean;
  /** Rows that a label is expected to match within the TTL. */
  readonly matchesPerLabel: number;
  /** Of a `range` join: how time is cut, microseconds, a TTL at least; null without a TTL. */
  readonly bucketUs: number | null;
  readonly facts: ReadFacts;
}

export interface FileCounts {
  readonly read: number;
  readonly of: number;
}

export interface JoinPlan {
  readonly rules: JoinRules;
  readonly labels: LabelFacts;
  readonly reads: readonly ReadPlan[];
}

/** Up to here `range` is as fast as `asof`: it sorts 3 rows a label where `asof` sorts them all. */
const MATCHES_MAX = 3;

const BUCKET_TTLS_MAX = 4;
/** Of an average entity: busy ones have many times as many. */
const BUCKET_LABELS_MAX = 0.25;

/** Dropping unlabelled entities costs one probe a row; it pays where it drops most of them. */
const LABELLED_SHARE_MAX = 0.25;

/** Event times of the rows that any of the labels can see. */
export function timeBounds(labels: LabelFacts, ttlUs: number | null): TimeBounds {
  return {
    fromUs: ttlUs === null || labels.minTimeUs === null ? null : labels.minTimeUs - ttlUs,
    toUs: labels.maxTimeUs,
  };
}

/** `strategy` overrules the choice. */
export function planRead(
  read: PlannedRead,
  labels: LabelFacts,
  facts: ReadFacts,
  strategy: JoinStrategy | null,
): ReadPlan {
  const isWindowed = read.view.windowing !== null;
  const ttlUs = isWindowed ? null : read.view.ttlUs;
  const matchesPerLabel = estimateMatches(facts, ttlUs);
  const byCost = matchesPerLabel < MATCHES_MAX ? 'range' : 'asof';
  return {
    alias: read.alias,
    view: read.view.name,
    strategy: isWindowed ? 'sweep' : (strategy ?? byCost),
    bounds: timeBounds(labels, ttlUs),
    onlyLabelledEntities:
      read.keys.length > 0 &&
      !isWindowed &&
      facts.labelEntityCount < facts.entityCount * LABELLED_SHARE_MAX,
    matchesPerLabel,
    bucketUs: ttlUs === null ? null : ttlUs * bucketTtls(labels, facts, ttlUs),
    facts,
  };
}

/**
 * Labels at the edge of a bucket are entered twice: wide buckets make fewer of them, until they hold
 * several labels, each of which a row is compared with.
 */
function bucketTtls(labels: LabelFacts, facts: ReadFacts, ttlUs: number): number {
  const historyUs = Math.max(ttlUs, (labels.maxTimeUs ?? 0) - (labels.minTimeUs ?? 0));
  const labelsPerEntity = labels.rowCount / Math.max(1, facts.labelEntityCount);
  const labelsPerTtl = (labelsPerEntity * ttlUs) / historyUs;
  return labelsPerTtl * BUCKET_TTLS_MAX <= BUCKET_LABELS_MAX ? BUCKET_TTLS_MAX : 1;
}

/** Rows an entity has in one TTL, were they spread evenly; without a TTL all of them. */
function estimateMatches(facts: ReadFacts, ttlUs: number | null): number {
  const rowsPerEntity = facts.rowCount / Math.max(1, facts.entityCount);
  const historyUs = (facts.maxTimeUs ?? 0) - (facts.minTimeUs ?? 0);
  if (ttlUs === null || historyUs <= ttlUs) return rowsPerEntity;
  return (rowsPerEntity * ttlUs) / historyUs;
}

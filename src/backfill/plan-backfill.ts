import type { BackfillRecord, MaterializationInterval } from './backfill-record.ts';
import { uncovered } from './intervals.ts';

/** What to read, in this order. */
export interface BackfillPlan {
  /** Ranges that are done already, to be read again from the files that changed since. */
  readonly again: readonly MaterializationInterval[];
  /** Files that are new or have another mark than when they were read. */
  readonly changedFiles: readonly string[];
  /** Ranges to read from all files. */
  readonly missing: readonly MaterializationInterval[];
}

/** `incremental`: from where the last run ended, and late rows of everything before. */
export type BackfillMode = 'range' | 'incremental';

/**
 * A row may be written to history long after its event time. Feast's incremental run starts where
 * the last one ended and never sees it; here a changed file is read again over what was done.
 */
export function planBackfill(
  record: BackfillRecord,
  files: Readonly<Record<string, string>>,
  requested: MaterializationInterval,
  mode: BackfillMode,
): BackfillPlan {
  const changedFiles = Object.keys(files).filter((path) => files[path] !== record.files[path]);
  const lastEndUs = record.intervals.at(-1)?.endUs;
  const range =
    mode === 'incremental' && lastEndUs !== undefined
      ? { startUs: lastEndUs + 1, endUs: requested.endUs }
      : requested;
  return {
    again: changedFiles.length === 0 ? [] : record.intervals,
    changedFiles,
    missing: range.startUs > range.endUs ? [] : uncovered(range, record.intervals),
  };
}

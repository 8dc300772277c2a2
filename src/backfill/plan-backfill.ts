import { basename } from 'node:path';
import type { BackfillRecord, MaterializationInterval } from './backfill-record.ts';
import { parsePartName } from './imported-parts.ts';
import { addInterval, uncovered } from './intervals.ts';

/** What to read, in this order. */
export interface BackfillPlan {
  /** Ranges that are done already, to be read again from the files that changed since. */
  readonly again: readonly MaterializationInterval[];
  /** Files that are new, have another mark, or have a higher number than when they were read. */
  readonly changedFiles: readonly string[];
  /** Ranges to read from all files, apart from one another. */
  readonly missing: readonly MaterializationInterval[];
}

/** `incremental`: from where the last run ended, and late rows of everything before. */
export type BackfillMode = 'range' | 'incremental';

/**
 * A row may be written to history long after its event time. Feast's incremental run starts where
 * the last one ended and never sees it; here a changed file is read again over what was done.
 *
 * Where rows have equal times the number of their file decides, and a new file moves those behind
 * it: they are read again, too, so that their rows are stored under the number that a join gives them.
 */
export function planBackfill(
  record: BackfillRecord,
  files: Readonly<Record<string, string>>,
  requested: MaterializationInterval,
  mode: BackfillMode,
): BackfillPlan {
  const numberBefore = new Map(Object.keys(record.files).map((path, number) => [path, number]));
  const changedFiles = Object.keys(files).filter(
    (path, number) =>
      files[path] !== record.files[path] || number > (numberBefore.get(path) as number),
  );
  const wanted = record.redo.reduce(addInterval, [] as readonly MaterializationInterval[]);
  const lastEndUs = [...record.intervals, ...wanted].reduce(
    (last, { endUs }) => Math.max(last, endUs),
    Number.NEGATIVE_INFINITY,
  );
  const startUs =
    mode === 'incremental' && lastEndUs > Number.NEGATIVE_INFINITY
      ? lastEndUs + 1
      : requested.startUs;
  const range = { startUs, endUs: requested.endUs };
  const all = range.startUs > range.endUs ? wanted : addInterval(wanted, range);
  return {
    again: changedFiles.length === 0 ? [] : record.intervals,
    changedFiles,
    missing: all.flatMap((interval) => uncovered(interval, record.intervals)),
  };
}

/**
 * Whether all that a plan reads again are new files behind those that are done, so that their rows
 * can be counted beside what was counted. Files that a stopped run had begun to add must come first.
 */
export function isAddition(
  record: BackfillRecord,
  { changedFiles }: BackfillPlan,
  files: Readonly<Record<string, string>>,
): boolean {
  const paths = Object.keys(files);
  const isDone = (path: string): boolean => record.files[path] !== undefined;
  const lastDone = paths.findLastIndex(isDone);
  const areNew = changedFiles.every((path) => !isDone(path) && paths.indexOf(path) > lastDone);
  const isWhole = Object.keys(record.files).every((path) => files[path] !== undefined);
  const begun = Object.entries(record.adding?.files ?? {});
  const areBegunFirst = begun.every(
    ([path, mark], i) => changedFiles[i] === path && files[path] === mark,
  );
  return areNew && isWhole && areBegunFirst;
}

/**
 * Whether a part of a backfill, which never changes, is gone or made anew: rows that were loaded may
 * be in no file any more.
 */
export function lacksParts(
  record: BackfillRecord,
  files: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(record.files).some(
    ([path, mark]) => parsePartName(basename(path)) !== null && files[path] !== mark,
  );
}

/** The record of a view whose rows are deleted: what was done is to be done again. */
export function beginAgain(record: BackfillRecord): BackfillRecord {
  const redo = record.intervals.reduce(addInterval, record.redo);
  return { intervals: [], redo, files: {} };
}

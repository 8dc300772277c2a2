export type { BackfillRecord, MaterializationInterval } from './backfill-record.ts';
export { emptyParts, type PartMarks } from './empty-parts.ts';
export { eraseRows } from './erase-rows.ts';
export {
  type ImportOptions,
  type ImportProgress,
  type ImportResult,
  importFiles,
} from './import-files.ts';
export { type ImportedPart, listParts } from './imported-parts.ts';
export {
  type BackfillProgress,
  type BackfillResult,
  materializationIntervals,
  materializeView,
} from './materialize-view.ts';
export { remarkFiles } from './remark-files.ts';
export { collectBadRows } from './write-part.ts';
export { writeRows } from './write-rows.ts';

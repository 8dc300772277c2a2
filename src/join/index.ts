export type { EntityRows } from './entity-rows.ts';
export {
  type HistoricalExplanation,
  HistoricalFeatures,
  type HistoricalMetadata,
} from './historical-features.ts';
export {
  createHistoricalReader,
  type HistoricalReader,
  type HistoricalReaderOptions,
} from './historical-reader.ts';
export type {
  HistoricalRequest,
  HistoricalRow,
  NamedHistoricalRequest,
} from './historical-request.ts';
export type { JoinPlan, JoinStrategy, KnownAt, LateRows, ReadPlan } from './join-plan.ts';
export { ALL_TIMES } from './join-plan.ts';
export type { HistoricalChunk } from './output.ts';
export type { RowRelation } from './row-relation.ts';
export {
  createRowsOf,
  type KnownAtFiles,
  type KnownAtOffsets,
  type RowsOf,
  type ViewRowsOptions,
} from './view-rows.ts';
export { PARQUET_COPY, writeWhole } from './write-file.ts';

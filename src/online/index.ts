export { type InspectedRow, inspectRows } from './inspect-rows.ts';
export {
  BATCH_ROW,
  OnlineReader,
  type OnlineReaderOptions,
  type RowColumns,
  UNKNOWN_PARTITION,
  type ViewFeatures,
} from './online-reader.ts';
export {
  createRowUpserter,
  type RowUpserter,
  type RowUpserterOptions,
  type UpsertOrigin,
  type UpsertResult,
} from './row-upserter.ts';
export { FEATURE_ABSENT, FEATURE_NULL, FEATURE_PRESENT } from './row-value.ts';
export { storeChecksum, type ViewChecksum } from './store-checksum.ts';

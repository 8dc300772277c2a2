export { claimView } from './claim-view.ts';
export { createUpserter } from './create-upserter.ts';
export { entityKeys } from './entity-keys.ts';
export { eraseEntity } from './erase-entity.ts';
export { type InspectedRow, inspectRows } from './inspect-rows.ts';
export { OnlineReader, type OnlineReaderOptions } from './online-reader.ts';
export {
  createRowUpserter,
  type RowUpserter,
  type RowUpserterOptions,
  type UpsertOrigin,
  type UpsertResult,
} from './row-upserter.ts';
export { FEATURE_ABSENT, FEATURE_NULL, FEATURE_PRESENT } from './row-value.ts';
export { type StateSize, stateSize } from './state-size.ts';
export { storeChecksum, type ViewChecksum } from './store-checksum.ts';
export { BATCH_ROW, UNKNOWN_PARTITION } from './view-places.ts';
export type { RowColumns, ViewFeatures } from './view-reader.ts';
export { encodeResult, type WindowResult } from './window-results.ts';

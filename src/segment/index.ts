export {
  decodeEntry,
  encodeEntry,
  listEntries,
  liveFiles,
  putEntry,
  removeEntry,
} from './manifest.ts';
export { nodeFileSystem } from './node-fs.ts';
export type { SegmentColumn, SegmentCut, SegmentEntry } from './segment-entry.ts';
export { SYSTEM_COLUMNS, schemaFingerprint } from './segment-layout.ts';
export { segmentRelation } from './segment-relation.ts';
export {
  createSegmentStore,
  type SegmentStore,
  type SegmentStoreOptions,
  type SweepOptions,
} from './segment-store.ts';
export type { SegmentWriter } from './segment-writer.ts';

export {
  type CompactionPolicy,
  type CompactionRun,
  planCompaction,
  planWholeCompaction,
} from './compaction-plan.ts';
export type { FilePaths, FileStore } from './file-store.ts';
export {
  inspectParquet,
  type ParquetColumn,
  type ParquetDescription,
  sampleRows,
} from './inspect-parquet.ts';
export { kvManifest } from './kv-manifest.ts';
export { localFiles } from './local-files.ts';
export {
  byRange,
  isSameRange,
  liveFiles,
  type Manifest,
  type ManifestChange,
  type ManifestReader,
  type RetiredFile,
} from './manifest.ts';
export { nodeFileSystem } from './node-fs.ts';
export { type ParquetRelation, parquetRelation } from './parquet-relation.ts';
export { parquetTimes } from './parquet-times.ts';
export type { RewriteOptions } from './rewrite-segments.ts';
export type { SegmentColumn, SegmentCut, SegmentEntry } from './segment-entry.ts';
export { schemaFingerprint } from './segment-layout.ts';
export { segmentRelation } from './segment-relation.ts';
export {
  createSegmentStore,
  type SegmentStore,
  type SegmentStoreOptions,
  type SweepOptions,
} from './segment-store.ts';
export { type SegmentTotals, SegmentTotalsCache } from './segment-totals.ts';
export type { SegmentWriter } from './segment-writer.ts';
export { type StreamBatchesOptions, streamBatches } from './stream-batches.ts';
export { type SegmentRows, streamSegments } from './stream-segments.ts';

/**
 * The manifest in the engine's store, so that an entry and the positions change in one write.
 *
 * ```
 * key   := numberedKey(sourceId, partition, SPACE.segment, startOffset)     state/key-schema.ts
 *          followed by the part u16 where a range has several files and this is not the first
 * value := version u8 (1) | JSON, UTF-8, fields in the order of SegmentEntry
 *
 * retired file
 *   key   := state key, space RETIRED | file name UTF-8
 *   value := retiredAtMs f64
 * ```
 *
 * Golden bytes: `test/golden/manifest.test.ts`.
 */

import { FreshetError } from '../errors.ts';
import { KvBatch, type KvReader } from '../kv/index.ts';
import {
  numberedKey,
  prefixRange,
  SPACE,
  type StateStore,
  stateKey,
  statePartitions,
} from '../state/index.ts';
import {
  type Manifest,
  type ManifestChange,
  type RetiredFile,
  requireNoOverlap,
} from './manifest.ts';
import type { SegmentEntry, SegmentRewrite } from './segment-entry.ts';

const VERSION = 1;

/** On the store of an engine, or on one that is open for reading alone. */
export function kvManifest({ kv, dictionary }: Pick<StateStore, 'kv' | 'dictionary'>): Manifest {
  const snapshot = async (sources: Iterable<string>): Promise<Map<string, SegmentEntry[]>> => {
    const found = new Map([...sources].map((name) => [name, [] as SegmentEntry[]]));
    const byId = new Map([...found].map(([name, into]) => [dictionary.sourceId(name), into]));
    await using moment = kv.snapshot(); // no source before a commit that another is behind
    await listEntries(moment, byId);
    return found;
  };
  return {
    entries: async (source) => (await snapshot([source])).get(source) as SegmentEntry[],
    async snapshot(sources) {
      if (sources !== undefined) return snapshot(sources);
      const all = await snapshot(dictionary.sources.keys());
      return new Map([...all].filter(([, entries]) => entries.length > 0));
    },
    async commit(source, change) {
      const sourceId = await dictionary.ensureSource(source);
      await kv.write(batchOf(sourceId, change), { sync: true });
    },
    retired: () => listRetired(kv, dictionary.sources),
    async forgetRetired(files) {
      const batch = new KvBatch();
      for (const { source, partition, file } of files) {
        const sourceId = dictionary.sourceId(source);
        if (sourceId !== undefined) batch.delete(retiredKey(sourceId, partition, file));
      }
      await kv.write(batch);
    },
  };
}

const NOTHING: NonNullable<ManifestChange['removed']> = { entries: [], atMs: 0 };

function batchOf(
  sourceId: number,
  { added = [], removed = NOTHING, positions }: ManifestChange,
): KvBatch {
  const batch = new KvBatch();
  const named = new Set(added.map(({ file }) => file));
  for (const entry of removed.entries) {
    const { file, partition } = entry;
    batch.delete(entryKey(sourceId, entry));
    if (file === null || named.has(file)) continue;
    batch.put(retiredKey(sourceId, partition, file), encodeTime(removed.atMs));
  }
  for (const entry of added) putEntry(batch, sourceId, entry);
  if (positions !== undefined) {
    batch.put(stateKey(sourceId, positions.partition, SPACE.cursor), positions.bytes);
  }
  return batch;
}

export function putEntry(batch: KvBatch, sourceId: number, entry: SegmentEntry): void {
  batch.put(entryKey(sourceId, entry), encodeEntry(entry));
}

/** Puts the entries of sources, by their ids, behind those in the lists. */
async function listEntries(
  kv: KvReader,
  sources: ReadonlyMap<number | undefined, SegmentEntry[]>,
): Promise<void> {
  for (const { sourceId, partition } of await statePartitions(kv)) {
    const entries = sources.get(sourceId);
    if (entries === undefined) continue;
    const range = prefixRange(stateKey(sourceId, partition, SPACE.segment));
    for await (const page of kv.scan(range)) {
      for (const [, value] of page) {
        const entry = decodeEntry(value);
        requireNoOverlap(entries.at(-1), entry);
        entries.push(entry);
      }
    }
  }
}

async function listRetired(
  kv: KvReader,
  sources: ReadonlyMap<string, number>,
): Promise<RetiredFile[]> {
  const nameOf = new Map([...sources].map(([name, id]) => [id, name]));
  const found: RetiredFile[] = [];
  for (const { sourceId, partition } of await statePartitions(kv)) {
    const source = nameOf.get(sourceId);
    if (source === undefined) continue;
    const prefix = stateKey(sourceId, partition, SPACE.retired);
    for await (const page of kv.scan(prefixRange(prefix))) {
      for (const [key, value] of page) {
        const file = Buffer.from(key.subarray(prefix.length)).toString('utf8');
        found.push({ source, partition, file, retiredAtMs: decodeTime(value) });
      }
    }
  }
  return found;
}

function encodeEntry(entry: SegmentEntry): Uint8Array {
  const json = Buffer.from(JSON.stringify(inOrder(entry)));
  return Uint8Array.from([VERSION, ...json]);
}

function decodeEntry(bytes: Uint8Array): SegmentEntry {
  if (bytes[0] !== VERSION) {
    throw new FreshetError(
      'STORE_VERSION',
      `a manifest entry has version ${bytes[0]}, not ${VERSION}`,
    );
  }
  try {
    return inOrder(JSON.parse(Buffer.from(bytes).toString('utf8', 1)) as SegmentEntry);
  } catch (thrown) {
    throw new FreshetError('STORE_CORRUPT', 'a manifest entry is not what this version writes', {
      cause: thrown,
    });
  }
}

function inOrder(entry: SegmentEntry): SegmentEntry {
  return {
    file: entry.file,
    source: entry.source,
    topic: entry.topic,
    partition: entry.partition,
    startOffset: entry.startOffset,
    endOffset: entry.endOffset,
    rowCount: entry.rowCount,
    bytes: entry.bytes,
    minEventTimeUs: entry.minEventTimeUs,
    maxEventTimeUs: entry.maxEventTimeUs,
    minArrivalTimeUs: entry.minArrivalTimeUs,
    maxArrivalTimeUs: entry.maxArrivalTimeUs,
    maxLateUs: entry.maxLateUs,
    fingerprint: entry.fingerprint,
    contentHash: entry.contentHash,
    columns: entry.columns.map(({ name, type }) => ({ name, type })),
    createdAtMs: entry.createdAtMs,
    ...(entry.rewrite && { rewrite: rewriteInOrder(entry.rewrite) }),
  };
}

function rewriteInOrder({ generation, part, parts }: SegmentRewrite): SegmentRewrite {
  return { generation, part, parts };
}

function entryKey(sourceId: number, entry: SegmentEntry): Uint8Array {
  const { partition, startOffset, rewrite } = entry;
  const key = numberedKey(sourceId, partition, SPACE.segment, startOffset);
  const part = rewrite?.part ?? 0;
  return part === 0 ? key : Buffer.concat([key, Uint8Array.of(part >> 8, part & 0xff)]);
}

function retiredKey(sourceId: number, partition: number, file: string): Uint8Array {
  return Buffer.concat([stateKey(sourceId, partition, SPACE.retired), Buffer.from(file)]);
}

function encodeTime(timeMs: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(timeMs);
  return bytes;
}

function decodeTime(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readDoubleBE();
}

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
 *
 * revision of a partition
 *   key   := state key, space REVISION
 *   value := first 16 bytes of sha256(the revision before | the keys and values of the commit)
 * ```
 *
 * Golden bytes: `test/golden/manifest.test.ts`.
 */

import { createHash } from 'node:crypto';
import { createQueue, type Queue } from '../core/queue.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch, type KvReader, type KvStore } from '../kv/index.ts';
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
const REVISION_BYTES = 16;

/** Commits of a store follow one another: each revision is made of the one before. */
const queues = new WeakMap<StateStore['dictionary'], Queue>();

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
    async entriesOf(source, partition) {
      const sourceId = dictionary.sourceId(source);
      return sourceId === undefined ? [] : listPartition(kv, sourceId, partition);
    },
    async revisions(source) {
      const sourceId = dictionary.sourceId(source);
      return sourceId === undefined ? new Map() : readRevisions(kv, sourceId);
    },
    async snapshot(sources) {
      if (sources !== undefined) return snapshot(sources);
      const all = await snapshot(dictionary.sources.keys());
      return new Map([...all].filter(([, entries]) => entries.length > 0));
    },
    async commit(source, change) {
      const sourceId = await dictionary.ensureSource(source);
      await queueOf(dictionary)(async () => {
        const batch = batchOf(sourceId, change);
        await putRevisions(kv, sourceId, change, batch);
        await kv.write(batch, { sync: true });
      });
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
    for (const entry of await listPartition(kv, sourceId, partition)) entries.push(entry);
  }
}

async function listPartition(
  kv: KvReader,
  sourceId: number,
  partition: number,
): Promise<SegmentEntry[]> {
  const entries: SegmentEntry[] = [];
  const range = prefixRange(stateKey(sourceId, partition, SPACE.segment));
  for await (const page of kv.scan(range)) {
    for (const [, value] of page) {
      const entry = decodeEntry(value);
      requireNoOverlap(entries.at(-1), entry);
      entries.push(entry);
    }
  }
  return entries;
}

/** Of every partition that has state: entries of before there were revisions may lie in any. */
async function readRevisions(
  kv: KvReader,
  sourceId: number,
): Promise<ReadonlyMap<number, string | null>> {
  const partitions = (await statePartitions(kv))
    .filter((place) => place.sourceId === sourceId)
    .map(({ partition }) => partition);
  const values = await kv.getMany(partitions.map((p) => stateKey(sourceId, p, SPACE.revision)));
  return new Map(
    partitions.map((partition, i) => {
      const value = values[i];
      return [partition, value === undefined ? null : Buffer.from(value).toString('hex')];
    }),
  );
}

/**
 * Hashes of the commits so far, not counts: what was deleted and begins again has another revision
 * than it had, unless the same was committed again.
 */
async function putRevisions(
  kv: KvStore,
  sourceId: number,
  { added = [], removed = NOTHING }: ManifestChange,
  batch: KvBatch,
): Promise<void> {
  const partitions = new Set([...added, ...removed.entries].map(({ partition }) => partition));
  if (partitions.size === 0) return;
  const change = createHash('sha256');
  for (const operation of batch.operations) {
    if (operation.type === 'put') change.update('+').update(operation.key).update(operation.value);
    else if (operation.type === 'delete') change.update('-').update(operation.key);
  }
  const digest = change.digest();
  for (const partition of partitions) {
    const key = stateKey(sourceId, partition, SPACE.revision);
    const hash = createHash('sha256')
      .update((await kv.get(key)) ?? '')
      .update(digest);
    batch.put(key, hash.digest().subarray(0, REVISION_BYTES));
  }
}

function queueOf(dictionary: StateStore['dictionary']): Queue {
  const known = queues.get(dictionary);
  if (known !== undefined) return known;
  const queue = createQueue();
  queues.set(dictionary, queue);
  return queue;
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

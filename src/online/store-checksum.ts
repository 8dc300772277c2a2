import { createHash, type Hash } from 'node:crypto';
import { SPACE, type StateStore, statePartitions, viewRange } from '../state/index.ts';
import { layoutIdOf } from './row-value.ts';

/** What a view's newest rows, or its windows, amount to. */
export interface ViewChecksum {
  /** Newest rows, or entities with windows. */
  readonly rows: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
}

/**
 * A checksum of the newest rows by view name. It covers keys and values in key order with names in
 * place of ids, so that two stores that hold the same rows have the same checksums, in whatever
 * order they came to know their views.
 */
export async function storeChecksum(state: StateStore): Promise<Record<string, ViewChecksum>> {
  const partitions = await statePartitions(state.kv);
  const checksums: Record<string, ViewChecksum> = {};
  for (const [view, viewId] of state.dictionary.views) {
    const hash = createHash('sha256');
    let rows = 0;
    for (const [source, sourceId] of state.dictionary.sources) {
      for (const { partition } of partitions.filter((found) => found.sourceId === sourceId)) {
        const place = { sourceId, partition, viewId };
        rows += await hashRows(state, hash, source, place);
        rows += await hashWindows(state, hash, source, place);
      }
    }
    if (rows > 0) checksums[view] = { rows, sha256: hash.digest('hex') };
  }
  return checksums;
}

interface ViewPlace {
  readonly sourceId: number;
  readonly partition: number;
  readonly viewId: number;
}

async function hashRows(
  state: StateStore,
  hash: Hash,
  source: string,
  ids: ViewPlace,
): Promise<number> {
  const range = viewRange(ids.sourceId, ids.partition, SPACE.row, ids.viewId);
  let rows = 0;
  for await (const page of state.kv.scan(range)) {
    for (const [key, value] of page) {
      const { names, types } = state.dictionary.requireLayout(layoutIdOf(value));
      part(hash, JSON.stringify([source, ids.partition, names, types]));
      part(hash, key.subarray(range.gte.length));
      part(hash, value.subarray(2)); // without the id of its layout
      rows++;
    }
  }
  return rows;
}

/** Heads count as rows: there is one for each entity that has windows. */
async function hashWindows(
  state: StateStore,
  hash: Hash,
  source: string,
  { sourceId, partition, viewId }: ViewPlace,
): Promise<number> {
  let heads = 0;
  for (const space of [SPACE.head, SPACE.tiles]) {
    const range = viewRange(sourceId, partition, space, viewId);
    for await (const page of state.kv.scan(range)) {
      for (const [key, value] of page) {
        part(hash, JSON.stringify([source, partition, space]));
        part(hash, key.subarray(range.gte.length));
        part(hash, value);
        if (space === SPACE.head) heads++;
      }
    }
  }
  return heads;
}

/** With its length in front, so that different parts never run together to the same bytes. */
function part(hash: Hash, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const size = Buffer.allocUnsafe(4);
  size.writeUInt32BE(bytes.length);
  hash.update(size).update(bytes);
}

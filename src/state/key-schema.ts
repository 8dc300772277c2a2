/**
 * The byte layout of every key in the engine's RocksDB. Big-endian, so that keys sort as numbers do.
 *
 * ```
 * state key  := sourceId u16 (1…65535) | partition u16 | space u8 | rest
 *   CURSOR   0x01   rest = (empty)                      positions of the partition
 *   OUTBOX   0x02   rest = sequence u64                 records still to be appended to a topic
 *   BACKFILL 0x03   rest = viewId u16                   what of a view was materialized from Parquet
 *   SEGMENT  0x04   rest = startOffset u64 [| part u16] manifest entries
 *   GAP      0x05   rest = fromOffset u64 | of u8       ranges that retention removed unread
 *   RETIRED  0x06   rest = file name UTF-8              segment files that no entry names any more
 *   REVISION 0x07   rest = (empty)                      which commits the manifest entries are of
 *   ROW      0x10   rest = viewId u16 | entity key      the newest row of an entity
 *   HEAD     0x11   rest = viewId u16 | entity key      times of a windowed view's rows of an entity
 *   TILES    0x12   rest = viewId u16 | group u8 | block i64, sign bit flipped | entity key
 *   EMITTED  0x13   rest = viewId u16                   closing time f64 up to which windows were sent
 *   TIMER    0x14   rest = viewId u16 | group u8 | time i64, sign bit flipped | entity key
 * meta key   := 0x0000 | 0x0000 | space u8 | rest
 *   FORMAT   0x01   rest = (empty)                      format version of the store
 *   NAME     0x02   rest = kind u8 | name UTF-8         the id u16 of a source (1) or view (2)
 *   HOME     0x04   rest = viewId u16                   whether rows are in their home partitions
 *   LAYOUT   0x05   rest = layoutId u16                 names and types of stored feature columns
 *   VIEW     0x06   rest = viewId u16                   fingerprint of the definition it was built from
 * ```
 *
 * State keys begin with their source and partition, so that a partition's state is one range and
 * can move between machines. An entity key is self-delimiting (`entity-key.ts`), so that keys can
 * go on behind it. Golden bytes: `test/golden/key-schema.test.ts`.
 */
export const SPACE = {
  cursor: 0x01,
  outbox: 0x02,
  backfill: 0x03,
  segment: 0x04,
  gap: 0x05,
  retired: 0x06,
  revision: 0x07,
  row: 0x10,
  head: 0x11,
  tiles: 0x12,
  emitted: 0x13,
  timer: 0x14,
} as const;

export const META = {
  format: 0x01,
  name: 0x02,
  home: 0x04,
  layout: 0x05,
  view: 0x06,
} as const;

const STATE_PREFIX_BYTES = 5;
const VIEW_PREFIX_BYTES = STATE_PREFIX_BYTES + 2;
const TIMED_PREFIX_BYTES = VIEW_PREFIX_BYTES + 1 + 8;

/** A state key with nothing behind its space: a cursor, or the start of a range. */
export function stateKey(sourceId: number, partition: number, space: number): Uint8Array {
  return writeStatePrefix(Buffer.allocUnsafe(STATE_PREFIX_BYTES), sourceId, partition, space);
}

/** A state key that ends in a number: an outbox sequence or a segment's start offset. */
export function numberedKey(
  sourceId: number,
  partition: number,
  space: number,
  value: number,
): Uint8Array {
  const key = writeStatePrefix(
    Buffer.allocUnsafe(STATE_PREFIX_BYTES + 8),
    sourceId,
    partition,
    space,
  );
  key.writeBigUInt64BE(BigInt(value), STATE_PREFIX_BYTES);
  return key;
}

/** The number at the end of a numbered key. */
export function numberOfKey(key: Uint8Array): number {
  return Number(
    Buffer.from(key.buffer, key.byteOffset, key.byteLength).readBigUInt64BE(STATE_PREFIX_BYTES),
  );
}

/** The key of one view's state of one entity. */
export function entityStateKey(
  sourceId: number,
  partition: number,
  space: number,
  viewId: number,
  entityKey: Uint8Array,
): Uint8Array {
  const key = Buffer.allocUnsafe(VIEW_PREFIX_BYTES + entityKey.length);
  writeStatePrefix(key, sourceId, partition, space);
  key.writeUInt16BE(viewId, STATE_PREFIX_BYTES);
  key.set(entityKey, VIEW_PREFIX_BYTES);
  return key;
}

/** The key of a block of tiles. Time comes before the entity, so that what is old is one range. */
export function tilesKey(
  sourceId: number,
  partition: number,
  place: TilesGroup,
  block: number,
  entityKey: Uint8Array,
): Uint8Array {
  return timedKey(sourceId, partition, SPACE.tiles, place, block, entityKey);
}

/** The block and the entity key of a key of tiles. */
export function tilesPlaceOf(key: Uint8Array): { block: number; entityKey: Uint8Array } {
  return { block: timeOf(key), entityKey: key.subarray(TIMED_PREFIX_BYTES) };
}

/** The group of a key of tiles. */
export function tilesGroupOf(key: Uint8Array): number {
  return key[VIEW_PREFIX_BYTES] as number;
}

/** The key of a timer: the time in microseconds at which an entity's sessions are looked at. */
export function timerKey(
  sourceId: number,
  partition: number,
  place: TilesGroup,
  timeUs: number,
  entityKey: Uint8Array,
): Uint8Array {
  return timedKey(sourceId, partition, SPACE.timer, place, timeUs, entityKey);
}

/** The time and the entity key of a key of a timer. */
export function timerOf(key: Uint8Array): { timeUs: number; entityKey: Uint8Array } {
  return { timeUs: timeOf(key), entityKey: key.subarray(TIMED_PREFIX_BYTES) };
}

function timedKey(
  sourceId: number,
  partition: number,
  space: number,
  { viewId, group }: TilesGroup,
  time: number,
  entityKey: Uint8Array,
): Uint8Array {
  const key = Buffer.allocUnsafe(TIMED_PREFIX_BYTES + entityKey.length);
  writeStatePrefix(key, sourceId, partition, space);
  key.writeUInt16BE(viewId, STATE_PREFIX_BYTES);
  key.writeUInt8(group, VIEW_PREFIX_BYTES);
  const high = Math.floor(time / 2 ** 32);
  key.writeUInt32BE((high ^ 0x8000_0000) >>> 0, VIEW_PREFIX_BYTES + 1);
  key.writeUInt32BE(time - high * 2 ** 32, VIEW_PREFIX_BYTES + 5);
  key.set(entityKey, TIMED_PREFIX_BYTES);
  return key;
}

function timeOf(key: Uint8Array): number {
  const view = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const high = (view.readUInt32BE(VIEW_PREFIX_BYTES + 1) ^ 0x8000_0000) | 0;
  return high * 2 ** 32 + view.readUInt32BE(VIEW_PREFIX_BYTES + 5);
}

/** One group of a windowed view's tiles. */
export interface TilesGroup {
  readonly viewId: number;
  readonly group: number;
}

/** The entity key (and what follows it) of an entity state key. */
export function entityKeyOf(key: Uint8Array): Uint8Array {
  return key.subarray(VIEW_PREFIX_BYTES);
}

export function metaKey(space: number, rest: Uint8Array = new Uint8Array(0)): Uint8Array {
  const key = Buffer.allocUnsafe(STATE_PREFIX_BYTES + rest.length);
  writeStatePrefix(key, 0, 0, space);
  key.set(rest, STATE_PREFIX_BYTES);
  return key;
}

/** The source, partition and space of a state key. */
export function statePrefixOf(key: Uint8Array): {
  readonly sourceId: number;
  readonly partition: number;
  readonly space: number;
} {
  const view = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return {
    sourceId: view.readUInt16BE(0),
    partition: view.readUInt16BE(2),
    space: view.readUInt8(4),
  };
}

/** What follows the space of a meta key. */
export function restOfMetaKey(key: Uint8Array): Uint8Array {
  return key.subarray(STATE_PREFIX_BYTES);
}

/** The range of all keys that begin with `prefix`. */
export function prefixRange(prefix: Uint8Array): { gte: Uint8Array; lt: Uint8Array } {
  const lt = Uint8Array.from(prefix);
  let i = lt.length - 1;
  while (i >= 0 && lt[i] === 0xff) i--;
  if (i < 0) return { gte: prefix, lt: new Uint8Array(prefix.length + 1).fill(0xff) };
  lt[i] = (lt[i] as number) + 1;
  return { gte: prefix, lt: lt.subarray(0, i + 1) };
}

function writeStatePrefix(key: Buffer, sourceId: number, partition: number, space: number): Buffer {
  key.writeUInt16BE(sourceId, 0);
  key.writeUInt16BE(partition, 2);
  key[4] = space;
  return key;
}

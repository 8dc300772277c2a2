/**
 * Where the fields of a record batch lie, in Kafka's format 2:
 *
 * offset 0 base offset i64, 8 length of the rest i32, 12 leader epoch i32, 16 magic i8 (2),
 * 17 crc32c u32 of all from 21, 21 attributes i16, 23 last offset delta i32, 27 base time i64,
 * 35 greatest time i64, 43 producer id i64, 51 producer epoch i16, 53 first sequence i32,
 * 57 count i32, 61 records, packed together if the attributes say so.
 */
export const BATCH = {
  baseOffset: 0,
  length: 8,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const;

export const MAGIC = 2;
/** Base offset and length, which the length leaves out. */
export const BATCH_PREFIX_BYTES = 12;

export const ATTRIBUTES = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
} as const;

/** Exact up to 2^53, as all offsets and times are; far quicker than through a bigint. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

export function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value - Math.floor(value / 2 ** 32) * 2 ** 32, at + 4);
}

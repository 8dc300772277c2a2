/**
 * Keys of the embedded log, big-endian, in a key-value store of its own:
 *
 * ```
 * batch key     := 'b' | topicId u32 | partition u32 | baseOffset u64     value: a batch
 * topic key     := 'm' | topicId u32                                      value: JSON, its id and settings
 * next key      := 'n'                                                    value: JSON, the next topicId
 * partition key := 'p' | topicId u32 | partition u32                      value: JSON { start, next, bytes, lastAppendMs }
 * group key     := 'g' | group UTF-8 | 0x00 | topicId u32 | partition u32 value: JSON offset
 * ```
 */
export function batchKey(topicId: number, partition: number, baseOffset: number): Uint8Array {
  const key = Buffer.allocUnsafe(17);
  key.write('b', 0);
  key.writeUInt32BE(topicId, 1);
  key.writeUInt32BE(partition, 5);
  key.writeBigUInt64BE(BigInt(baseOffset), 9);
  return key;
}

export function baseOffsetOf(key: Uint8Array): number {
  return Number(Buffer.from(key.buffer, key.byteOffset, key.byteLength).readBigUInt64BE(9));
}

export function topicKey(topicId: number): Uint8Array {
  const key = Buffer.allocUnsafe(5);
  key.write('m', 0);
  key.writeUInt32BE(topicId, 1);
  return key;
}

/** All topics lie in `[TOPICS_START, TOPICS_END)`. */
export const TOPICS_START: Uint8Array = Buffer.from('m');
export const TOPICS_END: Uint8Array = Buffer.from('n');
export const NEXT_TOPIC_KEY: Uint8Array = Buffer.from('n');

export function partitionKey(topicId: number, partition: number): Uint8Array {
  const key = Buffer.allocUnsafe(9);
  key.write('p', 0);
  key.writeUInt32BE(topicId, 1);
  key.writeUInt32BE(partition, 5);
  return key;
}

export function groupKey(group: string, topicId: number, partition: number): Uint8Array {
  const place = Buffer.allocUnsafe(9);
  place.writeUInt8(0, 0);
  place.writeUInt32BE(topicId, 1);
  place.writeUInt32BE(partition, 5);
  return Buffer.concat([Buffer.from(`g${group}`), place]);
}

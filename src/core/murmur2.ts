/**
 * Kafka's murmur2, so that a key lands in the partition where every Kafka producer puts it.
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** The partition of a key among `partitions`, as Kafka's default partitioner chooses it. */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

const TEXT_BYTES_MAX = 256;
const scratch = new Uint8Array(TEXT_BYTES_MAX);

/** The partition of a key that is a text, in UTF-8; a short one of ASCII costs no buffer. */
export function partitionForText(text: string, partitions: number): number {
  const { length } = text;
  if (length > TEXT_BYTES_MAX) return partitionForKey(Buffer.from(text), partitions);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return partitionForKey(Buffer.from(text), partitions);
    scratch[i] = code;
  }
  return (murmur2(scratch, length) & 0x7fffffff) % partitions;
}

/** The hash of the first `length` bytes as a signed 32-bit integer. */
export function murmur2(key: Uint8Array, length = key.length): number {
  let h = SEED ^ length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    let k = key[i]! | (key[i + 1]! << 8) | (key[i + 2]! << 16) | (key[i + 3]! << 24);
    k = Math.imul(k, M);
    k = Math.imul(k ^ (k >>> R), M);
    h = Math.imul(h, M) ^ k;
  }
  const rest = length - i;
  if (rest > 0) {
    if (rest === 3) h ^= key[i + 2]! << 16;
    if (rest >= 2) h ^= key[i + 1]! << 8;
    h = Math.imul(h ^ key[i]!, M);
  }
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

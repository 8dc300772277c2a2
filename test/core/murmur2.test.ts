import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionForKey, partitionForText } from '../../src/core/murmur2.ts';

/** From Kafka's own UtilsTest.testMurmur2. */
const GOLDEN: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

describe('murmur2', () => {
  it.each(GOLDEN)('hashes %s as Kafka does', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  it('takes the hash without its sign modulo the partitions', () => {
    for (const [key, hash] of GOLDEN) {
      expect(partitionForKey(Buffer.from(key), 7)).toBe((hash & 0x7fffffff) % 7);
    }
  });

  it('hashes an empty key', () => {
    expect(partitionForKey(new Uint8Array(0), 1)).toBe(0);
    expect(murmur2(new Uint8Array(0))).toBe(murmur2(Buffer.from('')));
  });

  it('finds the same partition for a text as for its bytes', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: 'grapheme-ascii', minLength: 250, maxLength: 260 }),
    );
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 1000 }), (text, partitions) => {
        const wanted = partitionForKey(Buffer.from(text), partitions);
        expect(partitionForText(text, partitions)).toBe(wanted);
      }),
    );
  });
});

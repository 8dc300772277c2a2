import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMPRESSIONS, compress, decompress } from '../../connectors/kafka/codecs.ts';

describe('codecs', () => {
  it.each(COMPRESSIONS)('unpack what %s packed', async (compression) => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.nat({ max: 300_000 }).map((size) => new Uint8Array(size).fill(7)),
        ),
        async (bytes) => {
          const packed = await compress(compression, Buffer.from(bytes));
          const unpacked = await decompress(compression, packed);
          expect(Buffer.compare(unpacked, bytes)).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each(COMPRESSIONS.slice(1))('say when bytes are not of %s', async (compression) => {
    await expect(decompress(compression, Buffer.from('no frame at all'))).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      message: expect.stringContaining(compression),
    });
  });

  it('unpack the stream of blocks that Java makes of snappy', async () => {
    const blocks = [Buffer.from('first '), Buffer.from('second')];
    const parts: Uint8Array[] = [Buffer.from('82534e4150505900' + '0000000100000001', 'hex')];
    for (const block of blocks) {
      const packed = await compress('snappy', block);
      const size = Buffer.alloc(4);
      size.writeInt32BE(packed.length);
      parts.push(size, packed);
    }
    expect((await decompress('snappy', Buffer.concat(parts))).toString()).toBe('first second');
  });
});

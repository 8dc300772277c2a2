import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../connectors/kafka/crc32c.ts';

describe('crc32c', () => {
  it.each([
    ['', 0],
    ['123456789', 0xe3069283],
    ['a', 0xc1d04330],
    ['The quick brown fox jumps over the lazy dog', 0x22620404],
  ])('of "%s" is as published', (text, expected) => {
    expect(crc32c(Buffer.from(text))).toBe(expected);
  });

  it('equals the definition, bit by bit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        let crc = 0xffffffff;
        for (const byte of bytes) {
          crc ^= byte;
          for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
        }
        expect(crc32c(bytes)).toBe(~crc >>> 0);
      }),
    );
  });
});

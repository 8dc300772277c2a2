/** Bytes that must not change: logs on disk have them. */
import { describe, expect, it } from 'vitest';
import { decodeBatch, encodeBatch } from '../../connectors/embedded/batch-format.ts';
import { batchKey, groupKey, partitionKey, topicKey } from '../../connectors/embedded/log-keys.ts';

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe('the bytes of the embedded log', () => {
  it('hold a batch', () => {
    const stored = encodeBatch(300, [
      {
        timestampMs: 1_000.5,
        record: {
          topic: 't',
          key: bytes('k'),
          value: bytes('va'),
          headers: [
            ['é', bytes('1')],
            ['', bytes('')],
          ],
        },
      },
      { timestampMs: -1, record: { topic: 't', key: null, value: null } },
      { timestampMs: 0, record: { topic: 't', key: bytes(''), value: bytes('') } },
    ]);
    expect(hex(stored)).toBe(
      [
        '860c533e', // checksum
        '01000000034072c00000000000', // version, count, base offset
        '408f440000000000000000010000000200000011', // time; sizes of key, value and headers
        '6b7661',
        '00020002c3a90000000131000000000000',
        'bff0000000000000ffffffffffffffff00000000',
        '0000000000000000000000000000000000000000',
      ].join(''),
    );
    const batch = decodeBatch(stored, { topic: 't', partition: 0, offset: 300 });
    expect(batch.headers(0).map(([name, value]) => [name, hex(value)])).toEqual([
      ['é', '31'],
      ['', ''],
    ]);
  });

  it('order keys by topic, partition and offset', () => {
    expect(hex(batchKey(1, 2, 2 ** 40 + 3))).toBe('6200000001000000020000010000000003');
    expect(hex(topicKey(258))).toBe('6d00000102');
    expect(hex(partitionKey(1, 2))).toBe('700000000100000002');
    expect(hex(groupKey('g', 1, 2))).toBe('6767000000000100000002');
  });
});

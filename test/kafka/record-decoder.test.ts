import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMPRESSIONS, type Compression } from '../../connectors/kafka/codecs.ts';
import { crc32c } from '../../connectors/kafka/crc32c.ts';
import { BATCH, writeInt64 } from '../../connectors/kafka/record-batch.ts';
import { decodeHeaders, decodeRecords } from '../../connectors/kafka/record-decoder.ts';
import { encodeRecordBatch, recordSizeMax } from '../../connectors/kafka/record-encoder.ts';

const NOBODY = { producerId: -1, producerEpoch: -1, baseSequence: -1 };
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const record = (value: string, timestampMs = 1_000) => ({
  key: null,
  value: bytes(value),
  timestampMs,
});

interface Stored {
  readonly values: readonly string[];
  readonly at: number;
  /** What its offsets span, where compaction has removed some of the last. */
  readonly lastOffset?: number;
  readonly producerId?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly compression?: Compression;
}

/** A batch as a broker would keep it. */
async function stored(batch: Stored): Promise<Buffer> {
  const producer = { ...NOBODY, producerId: batch.producerId ?? -1 };
  const records = batch.values.map((value) => record(value));
  const encoded = await encodeRecordBatch(records, producer, batch.compression);
  writeInt64(encoded, batch.at, BATCH.baseOffset);
  const flags = (batch.transactional ? 0x10 : 0) | (batch.control ? 0x20 : 0);
  encoded.writeInt16BE(encoded.readInt16BE(BATCH.attributes) | flags, BATCH.attributes);
  if (batch.lastOffset !== undefined) {
    encoded.writeInt32BE(batch.lastOffset - batch.at, BATCH.lastOffsetDelta);
  }
  return encoded;
}

const valuesOf = (values: readonly (Uint8Array | null)[]) =>
  values.map((value) => value && Buffer.from(value).toString());

describe('record batches', () => {
  it('are decoded as they were encoded, by every codec', async () => {
    const recordArbitrary = fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 300 })),
      value: fc.option(fc.uint8Array({ maxLength: 300 })),
      headers: fc.array(fc.tuple(fc.string({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 })), {
        maxLength: 3,
      }),
      timestampMs: fc.oneof(
        fc.integer({ min: 0, max: 2_000_000_000_000 }),
        fc.constantFrom(0, 1, 2 ** 31, 2 ** 41),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(recordArbitrary, { minLength: 1, maxLength: 30 }),
        fc.constantFrom(...COMPRESSIONS),
        fc.integer({ min: 0, max: 2 ** 50 }),
        async (records, compression, at) => {
          const batch = await encodeRecordBatch(records, NOBODY, compression);
          writeInt64(batch, at, BATCH.baseOffset);
          const read = await decodeRecords(batch, at);
          expect(read.offsets).toEqual(records.map((_, i) => at + i));
          expect(read.nextOffset).toBe(at + records.length);
          expect(read.timestampsMs).toEqual(records.map(({ timestampMs }) => timestampMs));
          for (const [i, { key, value, headers }] of records.entries()) {
            expect(read.keys[i] && [...read.keys[i]]).toEqual(key && [...key]);
            expect(read.values[i] && [...read.values[i]]).toEqual(value && [...value]);
            expect(decodeHeaders(read, i).map(([name, v]) => [name, [...v]])).toEqual(
              headers.map(([name, v]) => [name, [...v]]),
            );
          }
        },
      ),
    );
  });

  it('carry the checksum that a broker asks for, and the greatest time', async () => {
    const batch = await encodeRecordBatch(
      [record('a', 2_000), record('b', 9_000_000_000_000), record('c', 5)],
      { producerId: 77, producerEpoch: 3, baseSequence: 12 },
    );
    expect(batch.readUInt32BE(BATCH.crc)).toBe(crc32c(batch.subarray(BATCH.attributes)));
    expect(batch.readBigInt64BE(BATCH.maxTimestamp)).toBe(9_000_000_000_000n);
    expect(batch.readBigInt64BE(BATCH.producerId)).toBe(77n);
    expect(batch.readInt32BE(BATCH.baseSequence)).toBe(12);
  });

  it('are never larger than was reckoned', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40_000 }), { minLength: 1, maxLength: 3 }),
        async (values) => {
          const records = values.map((value) => ({ key: value, value, timestampMs: 1 }));
          const batch = await encodeRecordBatch(records, NOBODY);
          const reckoned = records.reduce((sum, each) => sum + recordSizeMax(each), 0);
          expect(batch.length - BATCH.records).toBeLessThanOrEqual(reckoned);
        },
      ),
    );
  });

  it('begin in their middle when the cursor is there', async () => {
    const log = Buffer.concat([
      await stored({ values: ['a', 'b', 'c'], at: 10, compression: 'lz4' }),
      await stored({ values: ['d'], at: 13 }),
    ]);
    const read = await decodeRecords(log, 12);
    expect([read.offsets, valuesOf(read.values)]).toEqual([
      [12, 13],
      ['c', 'd'],
    ]);
  });

  it('leave out the batch that a fetch cut off, wherever', async () => {
    const whole = await stored({ values: ['a', 'b'], at: 0 });
    const log = Buffer.concat([whole, await stored({ values: ['c'], at: 2 })]);
    for (let size = whole.length; size < log.length; size++) {
      const read = await decodeRecords(log.subarray(0, size), 0);
      expect([valuesOf(read.values), read.nextOffset]).toEqual([['a', 'b'], 2]);
    }
    expect((await decodeRecords(log.subarray(0, whole.length - 1), 0)).nextOffset).toBe(0);
  });

  it('are stepped over where compaction left holes', async () => {
    const first = await stored({ values: ['a'], at: 4, lastOffset: 9 });
    const log = Buffer.concat([first, await stored({ values: ['b'], at: 20 })]);
    const read = await decodeRecords(log, 2);
    expect([read.offsets, read.nextOffset]).toEqual([[4, 20], 21]);
    expect((await decodeRecords(first, 5)).nextOffset).toBe(10);
  });

  it('show committed transactions alone, also when several are interleaved', async () => {
    const log = Buffer.concat([
      await stored({ values: ['x1'], at: 0, producerId: 1, transactional: true }),
      await stored({ values: ['y1'], at: 1, producerId: 2, transactional: true }),
      await stored({ values: ['plain'], at: 2 }),
      await stored({ values: ['m'], at: 3, producerId: 1, transactional: true, control: true }),
      await stored({ values: ['x2'], at: 4, producerId: 1, transactional: true }),
      await stored({ values: ['m'], at: 5, producerId: 2, transactional: true, control: true }),
      await stored({ values: ['m'], at: 6, producerId: 1, transactional: true, control: true }),
    ]);
    const aborted = [{ producerId: 1, firstOffset: 0 }];
    const read = await decodeRecords(log, 0, aborted);
    expect([read.offsets, valuesOf(read.values)]).toEqual([
      [1, 2, 4],
      ['y1', 'plain', 'x2'],
    ]);
    expect(read.nextOffset).toBe(7);
    const both = [...aborted, { producerId: 2, firstOffset: 1 }];
    expect(valuesOf((await decodeRecords(log, 0, both)).values)).toEqual(['plain', 'x2']);
  });

  it('have the time of their log where the topic says so', async () => {
    const batch = await encodeRecordBatch([record('a', 5), record('b', 6)], NOBODY);
    batch.writeInt16BE(0x08, BATCH.attributes);
    writeInt64(batch, 99_000, BATCH.maxTimestamp);
    const read = await decodeRecords(batch, 0);
    expect([read.timestampType, read.timestampsMs]).toEqual(['LogAppendTime', [99_000, 99_000]]);
  });

  it.each<[string, (batch: Buffer) => void]>([
    ['of an old format', (batch) => batch.writeInt8(1, BATCH.magic)],
    ['packed by an unknown codec', (batch) => batch.writeInt16BE(7, BATCH.attributes)],
    ['whose records end behind it', (batch) => batch.writeInt8(0x7e, BATCH.records)],
    ['with a number that never ends', (batch) => batch.fill(0xff, BATCH.records)],
  ])('are refused when %s', async (_, damage) => {
    const batch = Buffer.concat([await stored({ values: ['a'.repeat(40)], at: 0 })]);
    damage(batch);
    await expect(decodeRecords(batch, 0)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  });
});

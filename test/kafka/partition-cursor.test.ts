import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartitionCursor } from '../../connectors/kafka/partition-cursor.ts';
import { decodeRecords } from '../../connectors/kafka/record-decoder.ts';
import { encodeRecordBatch } from '../../connectors/kafka/record-encoder.ts';

const TP = { topic: 't', partition: 2 };
const NOBODY = { producerId: -1, producerEpoch: -1, baseSequence: -1 };

describe('a partition cursor', () => {
  it('delivers all that was fetched, in batches within any bounds', async () => {
    const sizesArbitrary = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 30 });
    const boundsArbitrary = fc.record({
      maxRecords: fc.integer({ min: 1, max: 10 }),
      maxBytes: fc.integer({ min: 1, max: 100 }),
    });
    await fc.assert(
      fc.asyncProperty(sizesArbitrary, boundsArbitrary, async (sizes, bounds) => {
        const records = sizes.map((size, i) => ({
          key: null,
          value: new Uint8Array(size),
          timestampMs: i,
        }));
        const cursor = new PartitionCursor(TP, 0);
        const fetched = await decodeRecords(await encodeRecordBatch(records, NOBODY), 0);
        cursor.accept(fetched, { lastStableOffset: 99, logStartOffset: 0 });
        const offsets: number[] = [];
        while (cursor.hasRecords) {
          expect(cursor.isWanting).toBe(false);
          const from = cursor.offset;
          const batch = cursor.take(bounds)!;
          const bytes = batch.values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
          expect(batch.count === 1 || bytes <= bounds.maxBytes).toBe(true);
          expect(batch.count).toBeLessThanOrEqual(bounds.maxRecords);
          expect(batch.offsets[0]).toBe(from);
          expect([...batch.timestampsMs]).toEqual([...batch.offsets]);
          offsets.push(...batch.offsets);
        }
        expect(offsets).toEqual(sizes.map((_, i) => i));
        expect([cursor.offset, cursor.isWanting]).toEqual([sizes.length, true]);
      }),
    );
  });

  it('steps over what has no records, with an empty batch', () => {
    const cursor = new PartitionCursor(TP, 4);
    const nothing = {
      ...{ offsets: [], timestampsMs: [], keys: [], values: [], headersAt: [], headerBytes: [] },
      ...{ timestampType: 'CreateTime' as const, nextOffset: 6 },
    };
    cursor.accept(nothing, { lastStableOffset: 6, logStartOffset: 0 });
    expect(cursor.take({})).toMatchObject({ ...TP, count: 0, nextOffset: 6, highWatermark: 6 });
    expect(cursor.offset).toBe(6);
    cursor.accept({ ...nothing, nextOffset: 6 }, { lastStableOffset: 6, logStartOffset: 0 });
    expect(cursor.take({})).toBeNull();
    expect(cursor.isWanting).toBe(true);
  });

  it('wants nothing while it is paused or has an error to tell', () => {
    const cursor = new PartitionCursor(TP, 0);
    cursor.isPaused = true;
    expect(cursor.isWanting).toBe(false);
    cursor.isPaused = false;
    cursor.error = new Error('gone');
    expect(cursor.isWanting).toBe(false);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openEmbeddedLog } from '../../connectors/embedded/index.ts';
import { ManualClock } from '../../src/core/clock.ts';
import type { Log, TopicSpec } from '../../src/log/index.ts';
import { readAll, records, take, valuesOf } from '../contract/log-support.ts';

const START_MS = 1_700_000_000_000;
const TP = { topic: 'a', partition: 0 };

async function open(spec: Partial<TopicSpec>): Promise<{ log: Log; clock: ManualClock }> {
  const clock = new ManualClock(START_MS);
  const log = await openEmbeddedLog({ path: 'none', binding: 'memory', clock });
  await log.createTopic({ topic: 'a', partitions: 1, ...spec });
  return { log, clock };
}

describe('retention', () => {
  it('removes records older than the topic keeps them, at a later append', async () => {
    const { log, clock } = await open({ retentionMs: 10_000 });
    await log.append(records('a', 'old', 'old too'));
    clock.advance(6_000);
    await log.append(records('a', 'young'));
    clock.advance(6_000);
    await log.append(records('a', 'new'));
    expect(valuesOf(await readAll(log, 'a'))).toEqual(['young', 'new']);
    expect(await log.watermarks([TP])).toMatchObject([{ start: 2, end: 4 }]);
    clock.advance(3_600_000);
    await log.append(records('a', 'last'));
    expect(await log.watermarks([TP])).toMatchObject([{ start: 4, end: 5 }]);
    await log.close();
  });

  it('goes by the newest record of a batch where producers set the time', async () => {
    const { log, clock } = await open({ retentionMs: 10_000, timestampType: 'CreateTime' });
    const at = (timestampMs: number) => ({ topic: 'a', key: null, value: null, timestampMs });
    await log.append([at(5), at(START_MS)]);
    await log.append([at(6)]);
    clock.advance(5_000);
    await log.append([at(START_MS)]);
    expect(await log.watermarks([TP])).toMatchObject([{ start: 0 }]);
    clock.advance(6_000);
    await log.append([at(START_MS + 11_000)]);
    expect(await log.watermarks([TP])).toMatchObject([{ start: 4, end: 5 }]);
    await log.close();
  });

  it('removes the oldest batches when a partition holds more bytes than it may', async () => {
    const { log, clock } = await open({ retentionBytes: 3_000 });
    for (let i = 0; i < 10; i++) {
      clock.advance(2_000);
      await log.append([{ topic: 'a', key: null, value: new Uint8Array(800) }]);
    }
    // Before the last append three batches of 837 bytes were kept.
    expect(await log.watermarks([TP])).toMatchObject([{ start: 6, end: 10 }]);
    await log.close();
  });

  it('is a gap for a reader that was too slow', async () => {
    const { log, clock } = await open({ retentionMs: 1_000 });
    await log.append(records('a', 'x', 'y'));
    await using reader = await log.assign([{ ...TP, offset: 0 }]);
    await take(reader, 1, { maxRecords: 1 });
    clock.advance(60_000);
    await log.append(records('a', 'z'));
    await expect(reader.poll()).rejects.toMatchObject({
      code: 'OFFSET_GAP',
      message: expect.stringContaining('1 to 1'),
    });
    await log.close();
  });

  it('leaves other topics and partitions alone', async () => {
    const { log, clock } = await open({ retentionMs: 1_000, partitions: 2 });
    await log.createTopic({ topic: 'b', partitions: 1 });
    await log.append([{ ...TP, key: null, value: null }, ...records('b', 'kept')]);
    clock.advance(60_000);
    await log.append([{ topic: 'a', partition: 1, key: null, value: null }]);
    const tps = [TP, { topic: 'a', partition: 1 }, { topic: 'b', partition: 0 }];
    expect((await log.watermarks(tps)).map(({ start, end }) => [start, end])).toEqual([
      [1, 1],
      [0, 1],
      [0, 1],
    ]);
    await log.close();
  });

  it('never loses what an append of the same moment wrote, nor what is young', async () => {
    const stepArbitrary = fc.record({ waitMs: fc.nat({ max: 4_000 }), count: fc.nat({ max: 3 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 15 }), async (steps) => {
        const { log, clock } = await open({ retentionMs: 5_000 });
        const times: number[] = [];
        for (const { waitMs, count } of steps) {
          clock.advance(waitMs);
          const values = Array.from({ length: count }, (_, i) => String(times.length + i));
          for (const _ of values) times.push(clock.nowMs());
          await log.append(records('a', ...values));
        }
        const [marks] = await log.watermarks([TP]);
        const kept = valuesOf(await readAll(log, 'a')).map(Number);
        expect(marks?.end).toBe(times.length);
        expect(kept).toEqual(times.map((_, i) => i).slice(marks?.start));
        const firstYoung = times.findIndex((time) => time >= clock.nowMs() - 5_000);
        if (firstYoung >= 0) expect(marks?.start).toBeLessThanOrEqual(firstYoung);
        await log.close();
      }),
      { numRuns: 100 },
    );
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LogReader, ProducedRecord } from '../../src/log/index.ts';
import { NaiveLog } from '../oracle/naive-log.ts';
import { type LogUnderTest, recordsOf, take } from './log-support.ts';

const PARTITIONS = 3;

/** Any appends, reads and removals against the naive log. */
export function logGeneratedSuite(under: LogUnderTest, runs: number): void {
  it('equals a naive log on generated appends, reads and removals', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 12 }), async (steps) => {
        const topic = await under.topic(PARTITIONS);
        await replay(under, topic, steps);
        await under.log.deleteTopic(topic);
      }),
      { numRuns: runs },
    );
  }, 300_000);
}

type Step =
  | { readonly do: 'append'; readonly records: readonly Omit<ProducedRecord, 'topic'>[] }
  | { readonly do: 'read'; readonly maxRecords: number; readonly maxBytes: number }
  | { readonly do: 'seek'; readonly partition: number; readonly place: number }
  | { readonly do: 'delete'; readonly partition: number; readonly place: number }
  | { readonly do: 'time'; readonly timestampMs: number };

const bytesArbitrary = fc.uint8Array({ maxLength: 8 });
const partitionArbitrary = fc.nat({ max: PARTITIONS - 1 });
const recordArbitrary = fc.record({
  key: bytesArbitrary,
  value: fc.oneof(
    { weight: 6, arbitrary: bytesArbitrary },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 3_000, maxLength: 3_000 }) },
  ),
  headers: fc.array(fc.tuple(fc.string({ maxLength: 3 }), bytesArbitrary), { maxLength: 3 }),
  timestampMs: fc.integer({ min: 1, max: 30 }),
});
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('append'),
      records: fc.array(
        fc
          .tuple(recordArbitrary, fc.option(partitionArbitrary, { nil: undefined }))
          .map(([record, partition]) =>
            partition === undefined ? record : { ...record, partition },
          ),
        { maxLength: 20 },
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('read'),
      maxRecords: fc.integer({ min: 1, max: 12 }),
      maxBytes: fc.integer({ min: 1, max: 5_000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('seek'),
      partition: partitionArbitrary,
      place: fc.nat(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('delete'),
      partition: partitionArbitrary,
      place: fc.nat(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('time'), timestampMs: fc.integer({ min: 0, max: 32 }) }),
  },
);

async function replay(under: LogUnderTest, topic: string, steps: readonly Step[]): Promise<void> {
  const { log } = under;
  const naive = new NaiveLog(PARTITIONS);
  const tps = naive.partitions.map((_, partition) => ({ topic, partition }));
  const cursors = tps.map(() => 0);
  await using reader = await log.assign(tps.map((tp) => ({ ...tp, offset: 0 })));
  for (const step of steps) {
    if (step.do === 'append') {
      const sent = step.records.map((record) => ({ ...record, topic }));
      expect(await log.append(sent)).toEqual(
        naive.append(sent).map((place) => ({ topic, ...place })),
      );
    } else if (step.do === 'read') {
      await readOnce(reader, naive, cursors, step);
    } else if (step.do === 'seek') {
      const { start, records } = naive.partitions[step.partition]!;
      const offset = start + (step.place % (records.length - start + 1));
      reader.seek({ topic, partition: step.partition, offset });
      cursors[step.partition] = offset;
    } else if (step.do === 'delete') {
      // Never past the cursor: that is a gap, which has a test of its own.
      const offset = step.place % ((cursors[step.partition] as number) + 1);
      await log.deleteRecordsBefore({ topic, partition: step.partition }, offset);
      naive.deleteBefore(step.partition, offset);
    } else {
      const found = await Promise.all(tps.map((tp) => log.offsetForTime(tp, step.timestampMs)));
      expect(found).toEqual(tps.map((tp) => naive.offsetForTime(tp.partition, step.timestampMs)));
    }
  }
  expect(await log.watermarks(tps)).toEqual(
    naive.watermarks().map((marks) => ({ topic, ...marks })),
  );
}

/** One poll: what comes goes on from the cursors, within the bounds asked. */
async function readOnce(
  reader: LogReader,
  naive: NaiveLog,
  cursors: number[],
  bounds: { readonly maxRecords: number; readonly maxBytes: number },
): Promise<void> {
  const isMore = cursors.some((offset, p) => naive.from(p, offset).length > 0);
  const { maxRecords, maxBytes } = bounds;
  const batches = isMore
    ? await take(reader, 1, { maxRecords, maxBytes })
    : await reader.poll({ maxRecords, maxBytes });
  for (const batch of batches) {
    const { partition, count } = batch;
    const expected = naive.from(partition, cursors[partition] as number).slice(0, count);
    expect(recordsOf([batch]).map(plain)).toEqual(
      expected.map(({ key, value, timestampMs, headers = [] }) =>
        plain({
          key,
          value,
          timestampMs: timestampMs as number,
          headers: headers.map(([name, bytes]) => [name, Buffer.from(bytes).toString()]),
        }),
      ),
    );
    expect([...batch.offsets]).toEqual(expected.map((_, i) => (cursors[partition] as number) + i));
    const sizes = expected.map(({ value }) => value?.length ?? 0);
    const size = sizes.reduce((sum, each) => sum + each, 0);
    expect(count <= maxRecords && (count === 1 || size <= maxBytes)).toBe(true);
    cursors[partition] = batch.nextOffset;
  }
  if (!isMore) expect(batches).toEqual([]);
}

interface Plain {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers: readonly (readonly [string, string])[];
}

function plain({ key, value, timestampMs, headers }: Plain): unknown {
  const hex = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('hex');
  return { key: hex(key), value: hex(value), timestampMs, headers: [...headers] };
}

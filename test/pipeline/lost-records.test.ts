import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { putGap } from '../../src/checkpoint/gaps.ts';
import { startPositions } from '../../src/checkpoint/index.ts';
import { KvBatch, type KvReader } from '../../src/kv/index.ts';
import { lossError, lostRecords, type OffsetRange } from '../../src/pipeline/lost-records.ts';
import { kvManifest, type ManifestReader, type SegmentEntry } from '../../src/segment/index.ts';
import { entryOf } from '../segment/support.ts';
import { openTestStore } from '../state/test-store.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_251_126);
const SOURCE = { name: 'clicks', id: 1 };
const PARTITION = 2;

/** What an engine does to one partition: reads, cuts, and goes on behind a gap. */
type Step =
  | { readonly kind: 'read'; readonly length: number }
  | { readonly kind: 'cut'; readonly length: number; readonly hasRows: boolean }
  | { readonly kind: 'gap'; readonly length: number };

const length = fc.integer({ min: 1, max: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('read' as const), length }),
  fc.record({ kind: fc.constant('cut' as const), length, hasRows: fc.boolean() }),
  fc.record({ kind: fc.constant('gap' as const), length }),
);

/** The obvious way: offsets one by one, in sets; the manifest and the gaps as the engine writes them. */
async function partitionOf(begin: number, steps: readonly Step[]) {
  const state = await openTestStore();
  const { kv } = state;
  const manifest = kvManifest(state);
  const batch = new KvBatch();
  const added: SegmentEntry[] = [];
  const inState = new Set<number>();
  const inSegments = new Set<number>();
  let [applied, sealed] = [begin, begin];
  const read = (to: number): void => {
    for (; applied < to; applied++) inState.add(applied);
  };
  for (const taken of steps) {
    if (taken.kind === 'read') read(applied + taken.length);
    else if (taken.kind === 'cut') {
      const endOffset = sealed + taken.length;
      read(endOffset);
      const file = taken.hasRows ? `${sealed}.parquet` : null;
      added.push(entryOf({ partition: PARTITION, startOffset: sealed, endOffset, file }));
      for (; sealed < endOffset; sealed++) if (taken.hasRows) inSegments.add(sealed);
    } else {
      const toOffset = applied + taken.length;
      const gap = { partition: PARTITION, toOffset, skippedAtMs: 0 };
      putGap(batch, SOURCE.id, { ...gap, of: 'state', fromOffset: applied });
      putGap(batch, SOURCE.id, { ...gap, of: 'history', fromOffset: sealed });
      applied = toOffset;
      sealed = toOffset;
    }
  }
  await manifest.commit(SOURCE.name, { added });
  await kv.write(batch);
  const stores = { kv, manifest };
  return { stores, positions: { ...startPositions(begin), applied, sealed }, inState, inSegments };
}

function offsetsIn(ranges: readonly OffsetRange[]): number[] {
  return ranges.flatMap(({ fromOffset, toOffset }) =>
    Array.from({ length: toOffset - fromOffset }, (_, i) => fromOffset + i),
  );
}

describe(`records that a rebuilt state would lose (seed ${SEED})`, () => {
  it('are those that it has and the log has not, whatever was read, cut and skipped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5 }),
        fc.array(step, { maxLength: 8 }),
        fc.integer({ min: 0, max: 60 }),
        async (begin, steps, logStart) => {
          const { stores, positions, inState, inSegments } = await partitionOf(begin, steps);
          const lost = await lostRecords(stores, SOURCE, PARTITION, positions, logStart);
          const expected = [...inState].filter((offset) => offset < logStart);
          expect(offsetsIn(lost.ranges)).toEqual(expected);
          expect(offsetsIn(lost.notInSegments)).toEqual(
            expected.filter((offset) => !inSegments.has(offset)),
          );
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('are none of a log that has everything, without a look at the store', async () => {
    const positions = { ...startPositions(0), applied: 9 };
    const none = { ranges: [], notInSegments: [] };
    const stores = { kv: {} as KvReader, manifest: {} as ManifestReader };
    expect(await lostRecords(stores, SOURCE, PARTITION, positions, 0)).toEqual(none);
  });

  it('are named, with what to do', () => {
    const ranges = [
      { fromOffset: 0, toOffset: 10 },
      { fromOffset: 12, toOffset: 13 },
    ];
    const tp = { topic: 'clicks', partition: 2 };
    const covered = lossError(tp, { ranges, notInSegments: [] }, 20);
    expect(covered.message).toContain('records 0 to 9, 12 to 12 are in the online store');
    expect(covered.message).toContain('begins at 20');
    expect(covered.next).toMatch(/^The segments have them: `--views <names>`/);
    const bare = lossError(tp, { ranges, notInSegments: ranges.slice(1) }, 20);
    expect(bare.next).toMatch(/^Segments have no rows of 12 to 12 either\. `--from 20`/);
    for (const { code, next } of [covered, bare]) {
      expect(code).toBe('OFFSET_GAP');
      expect(next).toContain('`--skip-gap` rebuilds without them');
    }
  });
});

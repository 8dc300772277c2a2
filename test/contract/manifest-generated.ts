import fc from 'fast-check';
import { expect, it } from 'vitest';
import { byRange, type ManifestChange, type SegmentEntry } from '../../src/segment/index.ts';
import { NaiveManifest } from '../oracle/naive-manifest.ts';
import { entryOf } from '../segment/support.ts';
import type { ManifestPlace } from './manifest.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_251_127);
const SOURCES = ['clicks', 'orders', 'views'];

interface Step {
  readonly kind: 'cut' | 'rewrite' | 'drop' | 'forget' | 'restart';
  readonly source: number;
  readonly partition: number;
  /** Which of the ranges or files, and how many of them. */
  readonly pick: number;
  readonly count: number;
  readonly fails: 'not' | 'before' | 'behind';
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant('cut' as const) },
    { weight: 3, arbitrary: fc.constant('rewrite' as const) },
    { weight: 2, arbitrary: fc.constantFrom('drop' as const, 'forget' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
  ),
  source: fc.nat({ max: SOURCES.length - 1 }),
  partition: fc.constantFrom(0, 1, 256),
  pick: fc.nat({ max: 20 }),
  count: fc.integer({ min: 1, max: 4 }),
  fails: fc.oneof(
    { weight: 6, arbitrary: fc.constant('not' as const) },
    { weight: 1, arbitrary: fc.constantFrom('before' as const, 'behind' as const) },
  ),
});

/** Whatever an engine and its maintenance commit, the manifest holds what the naive one holds. */
export function generatedManifest(open: () => Promise<ManifestPlace>, runs: number): void {
  it(`agrees with the naive manifest, whatever is committed (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        await using place = await open();
        const naive = new NaiveManifest();
        const marks = new Map<string, string>();
        for (const [at, taken] of steps.entries()) {
          await take(place, naive, taken, at);
          await compare(place, naive);
          await compareMarks(place, naive, marks);
        }
      }),
      { seed: SEED, numRuns: runs },
    );
  }, 120_000);
}

async function take(
  place: ManifestPlace,
  naive: NaiveManifest,
  taken: Step,
  at: number,
): Promise<void> {
  if (taken.kind === 'restart') return place.restart();
  if (taken.kind === 'forget') {
    const files = (await naive.retired()).slice(0, taken.count);
    await place.manifest.forgetRetired(files);
    return naive.forgetRetired(files);
  }
  const source = SOURCES[taken.source] as string;
  const listed = await naive.entries(source);
  const change = changeOf(
    taken,
    listed.filter(({ partition }) => partition === taken.partition),
    at,
  );
  if (taken.fails !== 'not') place.failNext(taken.fails === 'behind');
  const committing = place.manifest.commit(source, change);
  if (taken.fails === 'not') await committing;
  else await expect(committing).rejects.toThrow();
  if (taken.fails !== 'before') await naive.commit(source, change);
}

/** What an engine (a cut), compaction or retention would commit to a partition that has `listed`. */
function changeOf(
  { kind, partition, pick, count }: Step,
  listed: readonly SegmentEntry[],
  at: number,
): ManifestChange {
  const ranges = byRange(listed);
  if (kind === 'cut' || ranges.length === 0) {
    const startOffset = listed.at(-1)?.endOffset ?? 0;
    const endOffset = startOffset + count;
    const file = pick % 5 === 0 ? null : `${partition}-${startOffset}`;
    const positions = { partition, bytes: Uint8Array.of(at, count) };
    return { added: [entryOf({ partition, startOffset, endOffset, file })], positions };
  }
  const first = pick % ranges.length;
  const entries = ranges.slice(first, first + count).flat();
  const removed = { entries, atMs: at };
  if (kind === 'drop') {
    return { added: entries.map((entry) => ({ ...entry, file: null, rowCount: 0 })), removed };
  }
  const [startOffset, endOffset] = [entries[0]!.startOffset, entries.at(-1)!.endOffset];
  const generation = 1 + Math.max(...entries.map(({ rewrite }) => rewrite?.generation ?? 0));
  const parts = 1 + (pick % 3);
  const added = Array.from({ length: parts }, (_, part) => {
    const file = `${partition}-${startOffset}-${endOffset}-g${generation}-${part}`;
    const rewrite = { generation, part, parts };
    return entryOf({ partition, startOffset, endOffset, file, rewrite });
  });
  return { added, removed };
}

async function compare(place: ManifestPlace, naive: NaiveManifest): Promise<void> {
  const expected = await naive.snapshot(SOURCES);
  expect(await place.manifest.snapshot(SOURCES)).toEqual(expected);
  const sorted = (list: readonly object[]): string[] =>
    list.map((retired) => JSON.stringify(Object.entries(retired).sort())).sort();
  expect(sorted(await place.manifest.retired())).toEqual(sorted(await naive.retired()));
  for (const source of SOURCES) {
    for (const partition of [0, 1, 256]) {
      const stored = await place.positions(source, partition);
      const wanted = naive.positions(source, partition);
      expect(stored && [...stored]).toEqual(wanted && [...wanted]);
    }
  }
}

/** Entries have one revision or several in the course of a run, and a revision has one list of them. */
async function compareMarks(
  place: ManifestPlace,
  naive: NaiveManifest,
  marks: Map<string, string>,
): Promise<void> {
  for (const source of SOURCES) {
    const revisions = await place.manifest.revisions(source);
    for (const [partition, wanted] of await naive.revisions(source)) {
      expect(await place.manifest.entriesOf(source, partition)).toEqual(JSON.parse(wanted));
      const revision = revisions.get(partition);
      if (revision === null) continue;
      const mark = `${source} ${partition} ${revision}`;
      expect(marks.get(mark) ?? wanted).toBe(wanted);
      marks.set(mark, wanted);
    }
  }
}

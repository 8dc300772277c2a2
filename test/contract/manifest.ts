import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Manifest, RetiredFile, SegmentEntry } from '../../src/segment/index.ts';
import { entryOf } from '../segment/support.ts';
import { generatedManifest } from './manifest-generated.ts';

/** A manifest and what it lies in. */
export interface ManifestPlace extends AsyncDisposable {
  readonly manifest: Manifest;
  /** The positions that the stores have of a partition. */
  positions(source: string, partition: number): Promise<Uint8Array | undefined>;
  /** The next commit fails; with `done` it has had its effect all the same. */
  failNext(done: boolean): void;
  /** The process is gone, and its machine may have lost its power: `manifest` is opened anew. */
  restart(): Promise<void>;
  /** Changes the stored bytes of an entry. */
  damage(entry: SegmentEntry, spoil: (bytes: Uint8Array) => Uint8Array): Promise<void>;
}

export interface ManifestSuiteOptions {
  readonly name: string;
  /** An empty manifest. */
  readonly open: () => Promise<ManifestPlace>;
  /** Generated runs of the comparison with the naive manifest. Default 100. */
  readonly runs?: number;
}

/** What every manifest does. */
export function manifestSuite(options: ManifestSuiteOptions): void {
  describe(`manifest: ${options.name}`, () => {
    let place: ManifestPlace;
    beforeEach(async () => {
      place = await options.open();
    });
    afterEach(() => place[Symbol.asyncDispose]());

    const entries = (source = 'clicks'): Promise<SegmentEntry[]> => place.manifest.entries(source);
    const add = (...added: SegmentEntry[]): Promise<void> =>
      place.manifest.commit('clicks', { added });

    describe('the entries of a source', () => {
      it('are listed by partition, start offset and part, however they were added', async () => {
        const listed = [
          entryOf({ partition: 0, startOffset: 0, endOffset: 9 }),
          entryOf({ partition: 0, startOffset: 9, endOffset: 300 }),
          ...partsOf({ partition: 0, startOffset: 300, endOffset: 400 }, 258),
          entryOf({ partition: 0, startOffset: 2 ** 40, endOffset: 2 ** 41 }),
          entryOf({ partition: 1, startOffset: 5, endOffset: 6 }),
          entryOf({ partition: 300, startOffset: 0, endOffset: 1 }),
        ];
        for (const entry of listed.toReversed()) await add(entry);
        expect(await entries()).toEqual(listed);
      });

      it('are given back as they were added, also those of cuts without rows', async () => {
        const added = [
          entryOf({ rewrite: { generation: 2, part: 0, parts: 1 } }),
          entryOf({ partition: 1, file: null, minEventTimeUs: null, maxLateUs: null }),
        ];
        await add(...added);
        expect(await entries()).toStrictEqual(added);
      });

      it('are those of that source alone, and none of one that is not known', async () => {
        await add(entryOf({}));
        const other = entryOf({ source: 'orders', startOffset: 3, endOffset: 5 });
        await place.manifest.commit('orders', { added: [other] });
        expect(await entries()).toEqual([entryOf({})]);
        expect(await entries('orders')).toEqual([other]);
        expect(await entries('nobody')).toEqual([]);
      });

      it('are refused when they overlap, unless they are parts of one range', async () => {
        await add(...partsOf({ startOffset: 0, endOffset: 10 }, 3));
        await add(entryOf({ partition: 1, startOffset: 5, endOffset: 20 }));
        expect(await entries()).toHaveLength(4);
        await add(entryOf({ startOffset: 9, endOffset: 20 }));
        await expect(entries()).rejects.toMatchObject({
          code: 'STORE_CORRUPT',
          where: { topic: 'clicks', partition: 0, offset: 9 },
        });
        await expect(place.manifest.snapshot()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
      });

      it('are refused when they are parts of different rewritings of a range', async () => {
        const [first] = partsOf({}, 2);
        await add(first!, { ...entryOf({}), rewrite: { generation: 2, part: 1, parts: 2 } });
        await expect(entries()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
      });

      it('that are not what this version writes are refused, by their version or as damage', async () => {
        await add(entryOf({}));
        await place.manifest.commit('orders', { added: [entryOf({ source: 'orders' })] });
        await place.damage(entryOf({}), (bytes) => bytes.subarray(0, bytes.length / 2));
        await expect(entries()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
        await place.damage(entryOf({}), (bytes) => bytes.with(0, 77));
        await expect(entries()).rejects.toMatchObject({ code: 'STORE_VERSION' });
        expect(await entries('orders')).toHaveLength(1);
      });
    });

    describe('a commit', () => {
      const cut = entryOf({ startOffset: 0, endOffset: 10, file: 'a/0' });
      const next = entryOf({ startOffset: 10, endOffset: 20, file: 'a/1' });

      it('puts some entries in the place of others', async () => {
        await add(cut, next);
        const parts = partsOf({ startOffset: 0, endOffset: 20 }, 2);
        const removed = { entries: [cut, next], atMs: 7 };
        await place.manifest.commit('clicks', { added: parts, removed });
        expect(await entries()).toEqual(parts);
        await place.manifest.commit('clicks', { removed });
        expect(await entries()).toEqual(parts.slice(1)); // the place of `cut` is that of the first
      });

      it('replaces what has the place of an added entry, and removes what is not there', async () => {
        await add(cut);
        await add({ ...cut, file: null, rowCount: 0 });
        await add({ ...cut, file: null, rowCount: 0 });
        expect(await entries()).toEqual([{ ...cut, file: null, rowCount: 0 }]);
        await place.manifest.commit('clicks', { removed: { entries: [next], atMs: 1 } });
        await place.manifest.commit('nobody', {});
        expect(await entries()).toHaveLength(1);
      });

      it('carries the positions of a partition, and leaves those of others', async () => {
        const commit = (partition: number, ...bytes: number[]): Promise<void> =>
          place.manifest.commit('clicks', {
            added: [entryOf({ partition })],
            positions: { partition, bytes: Uint8Array.from(bytes) },
          });
        await commit(0, 1, 2, 3);
        await commit(1, 4);
        await commit(0, 5, 6);
        await add(entryOf({ partition: 1, startOffset: 10, endOffset: 20 }));
        expect(bytesOf(await place.positions('clicks', 0))).toEqual([5, 6]);
        expect(bytesOf(await place.positions('clicks', 1))).toEqual([4]);
        expect(await place.positions('clicks', 2)).toBeUndefined();
      });

      /** One that adds, removes, retires and moves positions. */
      const whole = (): Promise<void> =>
        place.manifest.commit('clicks', {
          added: [{ ...cut, file: 'a/2' }, next],
          removed: { entries: [cut], atMs: 5 },
          positions: { partition: 0, bytes: Uint8Array.of(2) },
        });
      const begin = async (): Promise<void> => {
        const positions = { partition: 0, bytes: Uint8Array.of(1) };
        await place.manifest.commit('clicks', { added: [cut], positions });
      };
      const seen = async () => ({
        files: (await entries()).map(({ file }) => file),
        retired: filesOf(await place.manifest.retired()),
        positions: bytesOf(await place.positions('clicks', 0)),
      });
      const BEFORE = { files: ['a/0'], retired: [], positions: [1] };
      const AFTER = { files: ['a/2', 'a/1'], retired: ['a/0'], positions: [2] };

      it('that fails leaves all as it was, and can be made again', async () => {
        await begin();
        place.failNext(false);
        await expect(whole()).rejects.toThrow();
        expect(await seen()).toEqual(BEFORE);
        await place.restart();
        expect(await seen()).toEqual(BEFORE);
        await whole();
        expect(await seen()).toEqual(AFTER);
      });

      it('that took effect although it failed is there whole, and can be made again', async () => {
        await begin();
        place.failNext(true);
        await expect(whole()).rejects.toThrow();
        expect(await seen()).toEqual(AFTER);
        await whole();
        expect(await seen()).toEqual(AFTER);
      });

      it('is durable once it has resolved', async () => {
        await begin();
        await whole();
        await place.restart();
        expect(await seen()).toEqual(AFTER);
      });
    });

    describe('the revision of a partition', () => {
      const [cut, next, other] = [
        entryOf({ startOffset: 0, endOffset: 10, file: 'a/0' }),
        entryOf({ startOffset: 10, endOffset: 20, file: 'a/1' }),
        entryOf({ partition: 1, file: 'a/2' }),
      ];
      const revision = async (partition: number): Promise<string> => {
        const found = (await place.manifest.revisions('clicks')).get(partition);
        expect(found).toEqual(expect.any(String));
        return found as string;
      };

      it('is another after each commit that changes its entries, also one that brings them back', async () => {
        await add(other);
        const seen = new Set<string>();
        const changes = [{ added: [cut] }, { added: [next] }];
        for (const change of changes) {
          await place.manifest.commit('clicks', change);
          seen.add(await revision(0));
        }
        for (const atMs of [1, 1]) {
          await place.manifest.commit('clicks', { removed: { entries: [next], atMs } });
          seen.add(await revision(0));
          await add(next);
          seen.add(await revision(0));
        }
        expect(seen.size).toBe(6);
      });

      it('is as it was after commits elsewhere, of positions alone, and after a restart', async () => {
        await add(cut, other);
        const [before, beside] = [await revision(0), await revision(1)];
        await place.manifest.commit('orders', { added: [entryOf({ source: 'orders' })] });
        const positions = { partition: 0, bytes: Uint8Array.of(1) };
        await place.manifest.commit('clicks', { positions });
        await add({ ...other, rowCount: 9 });
        await place.restart();
        expect(await revision(0)).toBe(before);
        expect(await revision(1)).not.toBe(beside);
      });

      it('is one of its own for each of two commits at once', async () => {
        const seen = new Set<string>();
        for (let i = 0; i < 5; i++) {
          const from = i * 20;
          await Promise.all([
            add(entryOf({ startOffset: from, endOffset: from + 10 })),
            add(entryOf({ startOffset: from + 10, endOffset: from + 20 })),
          ]);
          seen.add(await revision(0));
        }
        expect(seen.size).toBe(5);
        expect(await place.manifest.entriesOf('clicks', 0)).toHaveLength(10);
        expect(await place.manifest.entriesOf('clicks', 1)).toEqual([]);
        expect(await place.manifest.entriesOf('nobody', 0)).toEqual([]);
        expect(await place.manifest.revisions('nobody')).toEqual(new Map());
      });
    });

    describe('a snapshot', () => {
      it('has each source that was asked for, and without names all that have entries', async () => {
        await add(entryOf({}));
        const order = entryOf({ source: 'orders' });
        await place.manifest.commit('orders', { added: [order] });
        await place.manifest.commit('gone', { added: [order] });
        await place.manifest.commit('gone', { removed: { entries: [order], atMs: 1 } });
        const asked = await place.manifest.snapshot(['orders', 'nobody']);
        expect([...asked]).toEqual([
          ['orders', [order]],
          ['nobody', []],
        ]);
        const all = await place.manifest.snapshot();
        expect([...all.keys()].sort()).toEqual(['clicks', 'orders']);
        expect(await place.manifest.snapshot([])).toEqual(new Map());
      });

      it('is of one moment: sees each commit whole, and none without those before it', async () => {
        const commits = 60;
        const rangesOf = (i: number): SegmentEntry[] =>
          [0, 1, 2].map((partition) =>
            entryOf({ partition, rowCount: i, file: `${i}-${partition}` }),
          );
        for (const source of ['first', 'second']) {
          await place.manifest.commit(source, { added: rangesOf(0) });
        }
        let done = false;
        const committing = (async () => {
          for (let i = 1; i <= commits; i++) {
            const change = { added: rangesOf(i), removed: { entries: rangesOf(i - 1), atMs: i } };
            await place.manifest.commit('first', change);
            await place.manifest.commit('second', change);
          }
          done = true;
        })();
        const moments = new Set<number>();
        while (!done) {
          const found = await place.manifest.snapshot(['second', 'first']);
          const [second, first] = [...found.values()].map((list) => list.map((e) => e.rowCount));
          expect(new Set(first).size).toBe(1);
          expect(new Set(second).size).toBe(1);
          expect([0, 1]).toContain(first![0]! - second![0]!);
          moments.add(first![0]!);
        }
        await committing;
        expect(moments.size).toBeGreaterThan(1);
      });
    });

    describe('a file', () => {
      const old = [entryOf({ file: 'a/0' }), entryOf({ file: 'a/1', partition: 1 })];
      const written = old.map((entry) => ({ ...entry, file: `${entry.file}-g1-0` }));

      it('that no entry names any more is retired, with the time, until it is forgotten', async () => {
        await add(...old);
        expect(await place.manifest.retired()).toEqual([]);
        const removed = { entries: old, atMs: 1_234.5 };
        await place.manifest.commit('clicks', { added: written, removed });
        await place.restart();
        const retired = await place.manifest.retired();
        expect(retired.toSorted(byFile)).toEqual([
          { source: 'clicks', partition: 0, file: 'a/0', retiredAtMs: 1_234.5 },
          { source: 'clicks', partition: 1, file: 'a/1', retiredAtMs: 1_234.5 },
        ]);
        await place.manifest.forgetRetired(retired.filter(({ file }) => file === 'a/0'));
        expect(filesOf(await place.manifest.retired())).toEqual(['a/1']);
        await place.manifest.forgetRetired(retired);
        await place.manifest.forgetRetired([]);
        expect(await place.manifest.retired()).toEqual([]);
        expect(await entries()).toEqual(written);
      });

      it('is retired as of the last time it was, and for its own source', async () => {
        for (const atMs of [5, 9]) {
          await place.manifest.commit('clicks', { removed: { entries: [old[0]!], atMs } });
        }
        await place.manifest.commit('orders', { removed: { entries: [old[0]!], atMs: 7 } });
        const retired = await place.manifest.retired();
        const clicks = { source: 'clicks', partition: 0, file: 'a/0', retiredAtMs: 9 };
        expect(retired).toHaveLength(2);
        expect(retired).toContainEqual(clicks);
        await place.manifest.forgetRetired([clicks]);
        expect((await place.manifest.retired()).map(({ source }) => source)).toEqual(['orders']);
      });

      it('is not retired where an added entry names it, nor is a cut without one', async () => {
        const none = entryOf({ file: null, partition: 2 });
        await add(...old, none);
        await place.manifest.commit('clicks', {
          added: [{ ...old[0]!, rowCount: 1 }],
          removed: { entries: [...old, none], atMs: 3 },
        });
        expect(filesOf(await place.manifest.retired())).toEqual(['a/1']);
        expect(await entries()).toEqual([{ ...old[0]!, rowCount: 1 }]);
      });

      it('whose rows are dropped leaves its range in the manifest', async () => {
        await add(...old);
        const dropped = { ...old[0]!, file: null, rowCount: 0 };
        const removed = { entries: [old[0]!], atMs: 3 };
        await place.manifest.commit('clicks', { added: [dropped], removed });
        expect(await entries()).toEqual([dropped, old[1]]);
        expect(filesOf(await place.manifest.retired())).toEqual(['a/0']);
      });
    });

    generatedManifest(options.open, options.runs ?? 100);
  });
}

function partsOf(some: Partial<SegmentEntry>, parts: number): SegmentEntry[] {
  return Array.from({ length: parts }, (_, part) =>
    entryOf({ ...some, file: `g1-${part}`, rewrite: { generation: 1, part, parts } }),
  );
}

function filesOf(retired: readonly RetiredFile[]): string[] {
  return retired.map(({ file }) => file).sort();
}

function byFile(a: RetiredFile, b: RetiredFile): number {
  return a.file < b.file ? -1 : 1;
}

function bytesOf(bytes: Uint8Array | undefined): number[] | undefined {
  return bytes && [...bytes];
}

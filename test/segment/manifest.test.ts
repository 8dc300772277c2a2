import { describe, expect, it } from 'vitest';
import { byRange, isSameRange, liveFiles, type SegmentEntry } from '../../src/segment/index.ts';
import { entryOf } from './support.ts';

const part = (part: number, some: Partial<SegmentEntry> = {}): SegmentEntry =>
  entryOf({ ...some, rewrite: { generation: 1, part, parts: 2 } });

describe('the entries of a manifest', () => {
  it('name the live files, and none for a cut without rows', () => {
    const entries = [entryOf({ file: 'a/1.parquet' }), entryOf({ file: null })];
    expect(liveFiles(entries)).toEqual(new Set(['a/1.parquet']));
  });

  it('are of one range when they are parts of one rewriting of it', () => {
    expect(isSameRange(part(0), part(1))).toBe(true);
    expect(isSameRange(part(0), entryOf({}))).toBe(false);
    for (const other of [{ partition: 1 }, { startOffset: 1 }, { endOffset: 11 }]) {
      expect(isSameRange(part(0), part(1, other))).toBe(false);
    }
  });

  it('are grouped by range, in order', () => {
    const next = { startOffset: 10, endOffset: 20 };
    const listed = [part(0), part(1), entryOf(next), entryOf({ partition: 1 })];
    const sizes = byRange(listed).map((range) => range.length);
    expect(sizes).toEqual([2, 1, 1]);
    expect(byRange(listed).flat()).toEqual(listed);
    expect(byRange([])).toEqual([]);
  });
});

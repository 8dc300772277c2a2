import { describe, expect, it } from 'vitest';
import { topicSource } from '../../src/definition/index.ts';
import { schemaFingerprint } from '../../src/segment/index.ts';
import { isSegmentName, segmentFile, sortClause } from '../../src/segment/segment-layout.ts';

const CUT = { startOffset: 5, endOffset: 90 };
const PRINT = '0123456789abcdef';

describe('the name of a segment', () => {
  it('is made of topic, partition, offsets and fingerprint alone', () => {
    expect(segmentFile('a.b-c', 3, CUT, PRINT)).toBe(`a.b-c/a.b-c-3-5-90-${PRINT}.parquet`);
  });

  it('is known again', () => {
    expect(isSegmentName(segmentFile('a.b-c', 3, CUT, PRINT))).toBe(true);
  });

  it('is not seen in the files of others', () => {
    const names = ['notes.parquet', `a-3-5-90-${PRINT}.parquet`, `b-3-5-90-${PRINT}.parquet.bak`];
    expect(names.filter((name) => isSegmentName(`b/${name}`))).toEqual([]);
    expect(isSegmentName(`b-3-5-90-${PRINT}.parquet`)).toBe(false);
  });
});

describe('the fingerprint of a schema', () => {
  it('differs for names, types and order', () => {
    const prints = [
      [{ name: 'a', type: 'int32' }],
      [{ name: 'a', type: 'int64' }],
      [{ name: 'b', type: 'int32' }],
      [
        { name: 'a', type: 'int32' },
        { name: 'b', type: 'int32' },
      ],
      [
        { name: 'b', type: 'int32' },
        { name: 'a', type: 'int32' },
      ],
    ] as const;
    expect(new Set(prints.map((columns) => schemaFingerprint(columns))).size).toBe(prints.length);
  });
});

describe('the order of rows', () => {
  it('is by key, event time and offset, each column once', () => {
    const source = topicSource({
      name: 's',
      topic: 's',
      schema: { at: 'timestamp', key: 'string' },
      timestampField: 'at',
      keyFields: ['key', 'at'],
    });
    expect(sortClause(source)).toBe('ORDER BY "key", "at", "_offset"');
  });
});

import { describe, expect, it } from 'vitest';
import { type DegradedSource, OnlineFeatures } from '../../src/serving/index.ts';

const answer = new OnlineFeatures<{ id: bigint; seen: number | null }, 'seen'>(
  2,
  [{ name: 'id', type: 'int64', values: [1n, 2n ** 60n] }],
  [
    {
      name: 'seen',
      type: 'timestamp',
      values: [1, null],
      statuses: ['PRESENT', 'NOT_FOUND'],
      eventTimesUs: [1_000_001, null],
    },
  ],
  { receipts: null, readAtUs: 1_500_001, degraded: [] },
);

describe('OnlineFeatures', () => {
  it('has rows, made once', () => {
    expect(answer.rows).toEqual([
      { id: 1n, seen: 1 },
      { id: 2n ** 60n, seen: null },
    ]);
    expect(answer.rows).toBe(answer.rows);
    expect(answer.statuses).toEqual([{ seen: 'PRESENT' }, { seen: 'NOT_FOUND' }]);
    expect(answer.eventTimestamps).toEqual([{ seen: 1_000_001 }, { seen: null }]);
    expect(answer.freshnessUs).toEqual([{ seen: 500_000 }, { seen: null }]);
  });

  it('has columns with the join keys first', () => {
    expect(Object.keys(answer.toColumns().values)).toEqual(['id', 'seen']);
    expect(answer.toColumns().statuses).toEqual({ seen: ['PRESENT', 'NOT_FOUND'] });
  });

  it('is lossless JSON', () => {
    expect(JSON.parse(JSON.stringify(answer))).toEqual({
      rows: [
        { id: 1, seen: '1970-01-01T00:00:00.000001Z' },
        { id: '1152921504606846976', seen: null },
      ],
      statuses: [{ seen: 'PRESENT' }, { seen: 'NOT_FOUND' }],
      eventTimestamps: [{ seen: '1970-01-01T00:00:01.000001Z' }, { seen: null }],
      freshnessUs: [{ seen: 500_000 }, { seen: null }],
    });
  });

  it('names the sources that are degraded, in JSON, too', () => {
    const degraded: DegradedSource[] = [
      { source: 's', topic: 't', partition: 1, state: 'SUSPENDED', reason: 'it failed' },
    ];
    const worse = new OnlineFeatures(0, [], [], { receipts: null, readAtUs: 0, degraded });
    expect(worse.degraded).toEqual(degraded);
    expect(JSON.parse(JSON.stringify(worse))).toMatchObject({ degraded });
  });
});

/** Bytes that must not change: stores on disk have them. */
import { describe, expect, it } from 'vitest';
import { RANK_BATCH, RANK_STREAM } from '../../src/core/row-order.ts';
import { RowValueEncoder } from '../../src/online/row-value.ts';
import { makeRows } from '../online/make-rows.ts';

const SCHEMA = {
  a: 'int32',
  b: 'int64',
  c: 'float32',
  d: 'float64',
  e: 'string',
  f: 'bool',
  g: 'bytes',
  h: 'timestamp',
  i: 'int32[]',
  j: 'json',
  k: 'string',
  l: 'string',
} as const;

const layout = { id: 258, names: Object.keys(SCHEMA), types: Object.values(SCHEMA) };

describe('the bytes of row values', () => {
  it('hold every type', () => {
    const { l: _, ...sent } = SCHEMA;
    const rows = makeRows(sent, [
      {
        at: 1_000_001,
        created: 2_000_002,
        offset: 300,
        a: -1,
        b: 2,
        c: 0.5,
        d: -0.25,
        e: 'é',
        f: true,
        g: Uint8Array.of(9),
        h: -1,
        i: [1, 2],
        j: { b: 1, a: null },
        k: null,
      },
    ]);
    const bytes = new RowValueEncoder(layout, rows.layout.index).encode(rows, 0, RANK_STREAM);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      [
        '0102', // layout 258
        '03', // stream, with a created time
        '412e848200000000', // event time
        '413e848200000000', // created time
        'ac02', // offset 300
        'aaaa1a', // states: ten present, one null, one absent
        'ffffffff', // a
        '0000000000000002', // b
        '3f000000', // c
        'bfd0000000000000', // d
        '02c3a9', // e
        '01', // f
        '0109', // g
        'bff0000000000000', // h
        '020000000100000002', // i
        '107b2261223a6e756c6c2c2262223a317d', // j
      ].join(''),
    );
  });

  it('leave out a created time that there is not', () => {
    const rows = makeRows({ a: 'int32' }, [{ at: 0, a: 7 }]);
    const narrow = { id: 1, names: ['a'], types: ['int32'] as const };
    const bytes = new RowValueEncoder(narrow, rows.layout.index).encode(rows, 0, RANK_BATCH);
    expect(Buffer.from(bytes).toString('hex')).toBe('0001000000000000000000000200000007');
  });
});

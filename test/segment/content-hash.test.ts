import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../src/core/field-type.ts';
import type { RowBatch } from '../../src/core/row-batch.ts';
import { ContentHash } from '../../src/segment/content-hash.ts';
import { batchOf, type Row } from './support.ts';

const SCHEMA: Schema = {
  at: 'timestamp',
  count: 'int64',
  ratio: 'float32',
  name: 'string',
  raw: 'bytes',
  names: 'string[]',
  flags: 'bool[]',
};
const COLUMNS = Object.entries(SCHEMA).map(([name, type]) => ({ name, type }));

const row: fc.Arbitrary<Row> = fc.record({
  at: fc.integer(),
  count: fc.option(fc.bigInt({ min: -9n, max: 9n })),
  ratio: fc.option(fc.float()),
  name: fc.option(fc.string({ maxLength: 3 })),
  raw: fc.option(fc.uint8Array({ maxLength: 3 })),
  names: fc.option(fc.array(fc.string({ maxLength: 2 }), { maxLength: 3 })),
  flags: fc.option(fc.array(fc.boolean(), { maxLength: 3 })),
});

function hashOf(batch: RowBatch, cuts: readonly number[] = []): string {
  const hash = new ContentHash(COLUMNS);
  const bounds = [
    0,
    ...cuts.filter((cut) => cut <= batch.count).sort((a, b) => a - b),
    batch.count,
  ];
  for (let i = 1; i < bounds.length; i++) {
    hash.update(batch.columns, bounds[i - 1] as number, bounds[i] as number);
  }
  return hash.digest();
}

const batch = (rows: readonly Row[]): RowBatch => batchOf(SCHEMA, rows, { timestampField: 'at' });

describe('the content hash', () => {
  it('does not depend on how rows are batched', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 20 }),
        fc.array(fc.nat(20), { maxLength: 4 }),
        (rows, cuts) => {
          expect(hashOf(batch(rows), cuts)).toBe(hashOf(batch(rows)));
        },
      ),
    );
  });

  it('does not depend on what stands where there is null', () => {
    const rows = [{ at: 1, count: null, name: null, names: null }];
    const dirty = batch(rows);
    (dirty.columns[1]?.values as BigInt64Array)[0] = 77n;
    (dirty.columns[3]?.values as unknown[])[0] = 'left over';
    expect(hashOf(dirty)).toBe(hashOf(batch(rows)));
  });

  const base: Row = {
    at: 1,
    count: 1n,
    ratio: 1,
    name: 'ab',
    raw: Uint8Array.of(1),
    names: ['a', 'b'],
    flags: [true],
  };
  const changes: Row[] = [
    { at: 2 },
    { count: null },
    { count: 0n },
    { ratio: -0 },
    { name: null },
    { name: '' },
    { name: 'ab\0' },
    { raw: Uint8Array.of(1, 0) },
    { names: ['ab'] },
    { names: ['a', 'b', ''] },
    { names: [] },
    { names: null },
    { flags: [false] },
  ];
  it('differs for every change of a value', () => {
    const hashes = [{}, ...changes].map((change) => hashOf(batch([{ ...base, ...change }])));
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('differs when rows change places, and when a value moves to the next row', () => {
    const hashes = [
      [
        { at: 1, name: 'a' },
        { at: 1, name: 'bc' },
      ],
      [
        { at: 1, name: 'ab' },
        { at: 1, name: 'c' },
      ],
      [
        { at: 1, name: 'bc' },
        { at: 1, name: 'a' },
      ],
      [
        { at: 1, names: ['a'] },
        { at: 1, names: ['b'] },
      ],
      [
        { at: 1, names: ['a', 'b'] },
        { at: 1, names: [] },
      ],
      [
        { at: 1, names: ['a', 'b'] },
        { at: 1, names: null },
      ],
    ].map((rows) => hashOf(batch(rows)));
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('is known for known rows', () => {
    expect(hashOf(batch([base, { at: -1 }]))).toBe(
      '80d0add53edc473d22ec13c74ea219f68eea20a37a99571dac094a19eb8bc0c5',
    );
  });
});

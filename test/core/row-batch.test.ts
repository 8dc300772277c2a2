import { describe, expect, it } from 'vitest';
import {
  type Column,
  columnValue,
  firstAtOrAbove,
  makeColumn,
  type RowBatch,
  rowLayout,
  sliceRows,
} from '../../src/core/row-batch.ts';

describe('a layout', () => {
  it('keeps the order of the schema and finds columns by name', () => {
    const layout = rowLayout({ b: 'int32', a: 'string' });
    expect(layout.names).toEqual(['b', 'a']);
    expect(layout.types).toEqual(['int32', 'string']);
    expect(layout.index.get('a')).toBe(1);
  });
});

describe('a column', () => {
  it.each([
    ['int32', Int32Array],
    ['int64', BigInt64Array],
    ['float32', Float64Array],
    ['float64', Float64Array],
    ['timestamp', Float64Array],
    ['bool', Uint8Array],
    ['string', Array],
    ['bytes', Array],
    ['json', Array],
    ['int32[]', Array],
  ] as const)('of %s has values of its own kind, none of them valid', (type, kind) => {
    const column = makeColumn(type, 3);
    expect(column.values).toBeInstanceOf(kind);
    expect(column.values).toHaveLength(3);
    expect(columnValue(column, 0)).toBeNull();
  });

  it('gives a bool back as a bool, and everything else as it is', () => {
    expect(columnValue({ ...valid('bool'), values: Uint8Array.of(1) }, 0)).toBe(true);
    expect(columnValue({ ...valid('bool'), values: Uint8Array.of(0) }, 0)).toBe(false);
    expect(columnValue({ ...valid('int32'), values: Int32Array.of(1) }, 0)).toBe(1);
    expect(columnValue({ ...valid('int64'), values: BigInt64Array.of(1n) }, 0)).toBe(1n);
  });
});

describe('a part of a batch', () => {
  const batch: RowBatch = {
    layout: rowLayout({ n: 'int32', s: 'string' }),
    count: 4,
    columns: [
      { type: 'int32', values: Int32Array.of(0, 1, 2, 3, 99), valid: Uint8Array.of(1, 1, 0, 1, 1) },
      { type: 'string', values: ['a', 'b', undefined, 'd'], valid: Uint8Array.of(1, 1, 0, 1) },
    ],
    offsets: Float64Array.of(10, 12, 13, 17),
    eventTimesUs: Float64Array.of(1, 2, 3, 4),
    createdTimesUs: Float64Array.of(5, 6, 7, 8),
    arrivalTimesUs: Float64Array.of(9, 10, 11, 12),
  };

  it('has the rows of its range in every array', () => {
    const part = sliceRows(batch, 1, 3);
    expect(part.count).toBe(2);
    expect(part.columns.map((column) => [columnValue(column, 0), columnValue(column, 1)])).toEqual([
      [1, null],
      ['b', null],
    ]);
    expect([...part.offsets]).toEqual([12, 13]);
    expect([...part.eventTimesUs]).toEqual([2, 3]);
    expect([...part.createdTimesUs]).toEqual([6, 7]);
    expect([...part.arrivalTimesUs]).toEqual([10, 11]);
  });

  it('is the batch itself when it is all of it, and may be empty', () => {
    expect(sliceRows(batch, 0, 4)).toBe(batch);
    expect(sliceRows(batch, 4, 4).count).toBe(0);
  });

  it('begins where the offset is reached, also in a hole and behind the end', () => {
    const found = (offset: number): number => firstAtOrAbove(batch.offsets, batch.count, offset);
    expect([9, 10, 11, 12, 13, 14, 17, 18].map(found)).toEqual([0, 0, 1, 1, 2, 3, 3, 4]);
    expect(firstAtOrAbove(batch.offsets, 0, 1)).toBe(0);
  });
});

function valid(type: Column['type']): Pick<Column, 'type' | 'valid'> {
  return { type, valid: Uint8Array.of(1) };
}

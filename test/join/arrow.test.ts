import { tableFromIPC, tableToIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import type { FieldType, FieldValue } from '../../src/core/field-type.ts';
import { makeColumn } from '../../src/core/row-batch.ts';
import { arrowSchema, arrowTable, recordBatch } from '../../src/join/arrow.ts';

interface TypeCase {
  readonly type: FieldType;
  readonly values: readonly FieldValue[];
  /** What Arrow gives back, where that is something else. */
  readonly expected?: readonly unknown[];
}

const TYPES: readonly TypeCase[] = [
  { type: 'int32', values: [1, null, -(2 ** 31)] },
  { type: 'int64', values: [1n, null, 2n ** 63n - 1n] },
  { type: 'float32', values: [0.5, null, Number.NaN] },
  { type: 'float64', values: [0.1, null, -0] },
  { type: 'string', values: ['', null, 'é'] },
  { type: 'bool', values: [true, null, false] },
  { type: 'bytes', values: [new Uint8Array([1, 2]), null, new Uint8Array(0)] },
  { type: 'json', values: [{ a: [1] }, null, 'x'], expected: ['{"a":[1]}', null, '"x"'] },
  { type: 'string[]', values: [['a', 'b'], null, []] },
  { type: 'float64[]', values: [[1.5, 2], null, []] },
  { type: 'int64[]', values: [[1n], null, []] },
  { type: 'bool[]', values: [[true, false], null, []] },
];

function roundTrip(type: FieldType, values: readonly FieldValue[]) {
  const column = makeColumn(type, values.length);
  const target = column.values as FieldValue[];
  values.forEach((value, i) => {
    if (value === null) return;
    target[i] = type === 'bool' ? Number(value) : value;
    column.valid[i] = 1;
  });
  const schema = arrowSchema(['x'], [type]);
  const chunk = { names: ['x'], types: [type], rowCount: values.length, column: () => column };
  const table = arrowTable(schema, [recordBatch(schema, chunk), recordBatch(schema, chunk)]);
  return tableFromIPC(tableToIPC(table));
}

describe('Arrow', () => {
  it.each(TYPES)('holds $type with its nulls', ({ type, values, expected = values }) => {
    const found = [...(roundTrip(type, values).getChild('x') ?? [])].map((value) =>
      type.endsWith('[]') && value !== null ? [...value] : value,
    );
    expect(found).toEqual([...expected, ...expected]);
  });

  it.each(['timestamp', 'timestamp[]'] as const)('holds %s as microseconds in UTC', (type) => {
    const us = [1_700_000_000_000_001, -1];
    const table = roundTrip(type, type === 'timestamp' ? us : [us, null]);
    const field = table.schema.fields[0];
    expect(String(type === 'timestamp' ? field?.type : field?.type.children[0]?.type)).toBe(
      'Timestamp<MICROSECOND, UTC>',
    );
    const data = table.getChild('x')?.data[0];
    const memory = type === 'timestamp' ? data?.values : data?.children[0]?.values;
    expect([...(memory as BigInt64Array)].slice(0, 2)).toEqual(us.map(BigInt));
  });
});

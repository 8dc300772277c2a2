import { describe, expect, it } from 'vitest';
import { fieldsRead } from '../../src/definition/index.ts';

interface Row {
  readonly a: number;
  readonly b: number;
  readonly bb: number;
}
const other = (row: Row): number => row.a;

describe('the fields that a function reads', () => {
  it.each<[string, (row: Row) => unknown, readonly string[]]>([
    ['properties of its parameter', (row) => row.a === null || row.b > 3, ['a', 'b']],
    ['behind a question mark', (row) => row?.a, ['a']],
    [
      'in a body',
      (r) => {
        const x = r.a;
        return x + r.bb;
      },
      ['a', 'bb'],
    ],
    ['parts of it', ({ a, b: renamed }) => a + renamed, ['a', 'b']],
    ['none', () => true, []],
  ])('are known: %s', (what, fn, fields) => {
    const found = fieldsRead(fn as never);
    if (what === 'none') expect(found).toBeNull();
    else expect([...(found ?? [])].sort()).toEqual(fields);
  });

  it.each<[string, (row: Row) => unknown]>([
    ['a name that is computed', (row) => row[['a'].join() as 'a']],
    ['the row handed on', (row) => other(row)],
    ['the row spread', (row) => ({ ...row })],
    ['the rest of it', ({ a, ...rest }) => [a, rest]],
    [
      'a plain function',
      function plain(row: Row) {
        return row.a;
      },
    ],
    ['a row in a text', (row) => `${row}`],
  ])('may be any: %s', (_, fn) => {
    expect(fieldsRead(fn as never)).toBeNull();
  });
});

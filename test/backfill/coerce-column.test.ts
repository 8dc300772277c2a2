/** Each kind of column that a foreign file may have, as each field: what is held and what is not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { coerceColumn } from '../../src/backfill/coerce-column.ts';
import type { FieldType } from '../../src/core/field-type.ts';
import { type Duckdb, openDuckdb } from '../../src/duckdb/index.ts';

const BAD = Symbol('bad');
const T = 1_767_225_600_000_000; // 2026-01-01

/** SQL type, field, and literals with what becomes of them. */
const CASES: readonly [
  sqlType: string,
  type: FieldType,
  values: readonly (readonly [string, unknown])[],
][] = [
  [
    'BIGINT',
    'int32',
    [
      ['7', 7],
      ['2147483648', BAD],
    ],
  ],
  [
    'UBIGINT',
    'int64',
    [
      ['9223372036854775807', 2n ** 63n - 1n],
      ['9223372036854775808', BAD],
    ],
  ],
  [
    'DOUBLE',
    'int64',
    [
      ['12.0', 12n],
      ['12.5', BAD],
      ["'nan'", BAD],
      ["'inf'", BAD],
      ['1e300', BAD],
    ],
  ],
  [
    'DECIMAL(10,2)',
    'int32',
    [
      ['3.00', 3],
      ['3.01', BAD],
    ],
  ],
  [
    'VARCHAR',
    'int64',
    [
      ["'007'", 7n],
      ["' -12 '", -12n],
      ["'3.0'", 3n],
      ["'1.5'", BAD],
      ["'1e3'", BAD],
      ["''", BAD],
    ],
  ],
  [
    'DOUBLE',
    'float32',
    [
      ['0.1', Math.fround(0.1)],
      ['1e300', BAD],
      ["'inf'", Infinity],
    ],
  ],
  [
    'BIGINT',
    'float64',
    [
      ['9007199254740991', 2 ** 53 - 1],
      ['9007199254740993', BAD],
    ],
  ],
  ['DECIMAL(18,2)', 'float64', [['10.25', 10.25]]],
  ['DECIMAL(38,4)', 'float64', [['1234567890123456789012345678901234.5678', BAD]]],
  [
    'VARCHAR',
    'float64',
    [
      ["'1e3'", 1_000],
      ["'NaN'", Number.NaN],
      ["'much'", BAD],
    ],
  ],
  [
    'BLOB',
    'string',
    [
      ["'caf\\xC3\\xA9'", 'café'],
      ["'\\xFF'", BAD],
    ],
  ],
  ['BIGINT', 'string', [['42', '42']]],
  ['DOUBLE', 'string', []],
  [
    'TINYINT',
    'bool',
    [
      ['1', true],
      ['0', false],
      ['2', BAD],
    ],
  ],
  [
    'VARCHAR',
    'bool',
    [
      ["'TRUE'", true],
      ["'perhaps'", BAD],
    ],
  ],
  [
    'TIMESTAMP',
    'timestamp',
    [
      ["'2026-01-01'", T],
      ["'9999-12-31'", BAD],
      ["'infinity'", BAD],
      ["'1600-01-01'", BAD],
    ],
  ],
  [
    'TIMESTAMP_S',
    'timestamp',
    [
      ["'2026-01-01'", T],
      ["'9999-12-31'", BAD],
    ],
  ],
  [
    'DATE',
    'timestamp',
    [
      ["'2026-01-01'", T],
      ["'infinity'", BAD],
      ["'290000-01-01'", BAD],
    ],
  ],
  ['TIMESTAMPTZ', 'timestamp', [["'2026-01-01T02:00:00+02:00'", T]]],
  [
    'TIMESTAMP_NS',
    'timestamp',
    [
      ["'2026-01-01T00:00:00.000001999'", T + 1],
      ["'1969-12-31T23:59:59.999999999'", -1],
    ],
  ],
  [
    'VARCHAR',
    'timestamp',
    [
      ["'2026-01-01T02:00:00+02:00'", T],
      ["'2026-01-01 00:00:00'", T],
      ["'soon'", BAD],
      ["'infinity'", BAD],
    ],
  ],
  [
    'VARCHAR',
    'json',
    [
      ['\'{"a":1}\'', '{"a":1}'],
      ["'{a'", BAD],
      ["'[1,]'", '[1]'],
      ["'[NaN]'", BAD],
      [`'{"NaN":"a \\" Infinity"}'`, `{"NaN":"a \\" Infinity"}`],
    ],
  ],
  [
    'STRUCT(a DOUBLE)',
    'json',
    [
      ['{a: 1.5}', '{"a":1.5}'],
      ["{a: 'nan'::DOUBLE}", BAD],
    ],
  ],
  ['INTEGER[]', 'json', [['[1, 2]', '[1,2]']]],
  [
    'VARCHAR[]',
    'string[]',
    [
      ["['a']", ['a']],
      ['[]', []],
      ["['a', NULL]", BAD],
    ],
  ],
  [
    'DOUBLE[]',
    'int32[]',
    [
      ['[1.0, 2.0]', [1, 2]],
      ['[1.5]', BAD],
      ['[NULL]', BAD],
    ],
  ],
  [
    'BIGINT[]',
    'int32[]',
    [
      ['[1]', [1]],
      ['[2147483648]', BAD],
    ],
  ],
  [
    'TIMESTAMP[]',
    'timestamp[]',
    [
      ["['2026-01-01'::TIMESTAMP]", [T]],
      ["['9999-12-31'::TIMESTAMP]", BAD],
    ],
  ],
  ['VARCHAR', 'string[]', []],
  ['INTEGER', 'bytes', []],
];

describe('a column of a foreign file', () => {
  let duckdb: Duckdb;
  beforeAll(async () => {
    duckdb = await openDuckdb({ threads: 1 });
  });
  afterAll(() => duckdb.close());

  it.each(CASES)('of %s is held as %s where it can be', async (sqlType, type, values) => {
    const coercion = coerceColumn('c', sqlTypeOf(sqlType), type);
    if (values.length === 0) {
      expect(coercion).toBeNull();
      return;
    }
    for (const [literal, expected] of [...values, ['NULL', null] as const]) {
      const [row] = await duckdb.query(
        `SELECT coalesce(${coercion?.isBad ?? 'false'}, false) AS bad, ` +
          `CASE WHEN NOT bad THEN ${coercion?.value} END AS value ` +
          `FROM (SELECT CAST(${literal} AS ${sqlType}) AS c)`,
      );
      expect([literal, row?.['bad'] ? BAD : row?.['value']]).toEqual([literal, expected]);
    }
  });
});

/** As DESCRIBE names it. */
function sqlTypeOf(sqlType: string): string {
  return sqlType === 'TIMESTAMPTZ' ? 'TIMESTAMP WITH TIME ZONE' : sqlType;
}

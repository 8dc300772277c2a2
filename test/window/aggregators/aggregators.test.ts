import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/core/bytes.ts';
import type { FieldType, FieldValue } from '../../../src/core/field-type.ts';
import { type Column, makeColumn } from '../../../src/core/row-batch.ts';
import type { RowOrder } from '../../../src/core/row-order.ts';
import * as definition from '../../../src/definition/index.ts';
import type { Aggregator, RowsInOrder } from '../../../src/window/aggregator.ts';
import { createAggregator } from '../../../src/window/aggregators/index.ts';
import { type NaiveRow, naiveAggregation } from '../../oracle/naive-aggregation.ts';

interface Row {
  readonly eventTimeUs: number;
  readonly value: FieldValue;
}

const AT_US = 10_000_000_000;

const moderate = fc
  .double({ noNaN: true, min: -1e9, max: 1e9 })
  .map((x) => (Math.abs(x) < 1e-9 ? 0 : x));

const VALUES: Readonly<Record<string, fc.Arbitrary<FieldValue>>> = {
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float64: fc.oneof(moderate, fc.constant(-0), fc.constantFrom(1.5, 2.5)),
  string: fc.string({ maxLength: 3 }),
  bool: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 3 }),
  timestamp: fc.integer({ min: -1e12, max: 1e12 }),
};

const NUMERIC: readonly FieldType[] = ['int32', 'int64', 'float64'];
const ANY = Object.keys(VALUES) as FieldType[];

/** Every function with the column types it reads. */
const FUNCTIONS: readonly [definition.AggregationFunction, readonly FieldType[]][] = [
  [definition.count(), ANY],
  [definition.sum(), NUMERIC],
  [definition.mean(), NUMERIC],
  [definition.min(), ANY],
  [definition.max(), ANY],
  [definition.first(), ANY],
  [definition.last(), ANY],
  [definition.firstN(3), ANY],
  [definition.lastN(3), ANY],
  [definition.topN(3), ANY],
  [definition.variancePopulation(), NUMERIC],
  [definition.varianceSample(), NUMERIC],
  [definition.stddevPopulation(), NUMERIC],
  [definition.stddevSample(), NUMERIC],
  [definition.skew(), NUMERIC],
  [definition.kurtosis(), NUMERIC],
  [definition.any(), ['bool']],
  [definition.all(), ['bool']],
  [definition.distinctCount(5), ANY],
  [definition.approxDistinctCount(6), ANY],
  [definition.percentile(0.9), NUMERIC],
  [definition.histogram(3), ANY],
  [definition.decayedSum('1s'), NUMERIC],
  [definition.decayedCount('1s'), ANY],
  [definition.timeSinceLast(), ANY],
];

const cases = FUNCTIONS.flatMap(([fn, types]) => types.map((type) => ({ fn, type })));

describe.each(cases)('$fn.name over $type', ({ fn, type }) => {
  const aggregator = createAggregator(fn, type);
  const rows = fc.array(
    fc.record({
      eventTimeUs: fc.integer({ min: 0, max: 5_000_000 }),
      value: fc.option(VALUES[type] as fc.Arbitrary<FieldValue>),
    }),
    { maxLength: 25 },
  );

  it('gives the same bytes for any order, grouping and round trip of the same rows', () => {
    fc.assert(
      fc.property(rows, fc.array(fc.nat(), { minLength: 25, maxLength: 25 }), (all, choices) => {
        const batch = batchOf(type, all);
        const whole = irOf(
          aggregator,
          batch,
          all.map((_, i) => i),
        );
        const groups: number[][] = [[], [], []];
        const order = all
          .map((_, i) => i)
          .sort((a, b) => (choices[a] as number) - (choices[b] as number));
        for (const i of order) (groups[(choices[i] as number) % 3] as number[]).push(i);
        const merged = aggregator.create();
        for (const group of groups.reverse()) {
          aggregator.merge(
            merged,
            decode(aggregator, encode(aggregator, irOf(aggregator, batch, group))),
          );
        }
        expect(encode(aggregator, merged)).toEqual(encode(aggregator, whole));
        const value = outcome(() => aggregator.finalize(whole, AT_US));
        expect(outcome(() => aggregator.finalize(merged, AT_US))).toEqual(value);
        const irs = groups.map((group) => irOf(aggregator, batch, group));
        const atOnce = aggregator.finalizeMerged?.(irs, AT_US);
        if (atOnce !== undefined) expect(outcome(() => atOnce)).toEqual(value);
      }),
      { numRuns: 60 },
    );
  });

  it('leaves the merged IR as it was', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const batch = batchOf(type, all);
        const from = irOf(
          aggregator,
          batch,
          all.map((_, i) => i),
        );
        const before = encode(aggregator, from);
        const into = aggregator.create();
        aggregator.merge(into, from);
        aggregator.merge(into, from);
        expect(encode(aggregator, from)).toEqual(before);
      }),
      { numRuns: 20 },
    );
  });
});

const exact: readonly [definition.AggregationFunction, readonly FieldType[]][] = [
  [definition.count(), ['int32']],
  [definition.sum(), ['int32', 'float64']],
  [definition.mean(), ['int32', 'float64']],
  [definition.min(), ['int32', 'float64']],
  [definition.max(), ['int32', 'float64']],
  [definition.first(), ['int32', 'string']],
  [definition.last(), ['int32', 'string']],
  [definition.firstN(4), ['string']],
  [definition.lastN(4), ['string']],
  [definition.topN(4), ['float64']],
  [definition.variancePopulation(), ['int32', 'float64']],
  [definition.varianceSample(), ['int32', 'float64']],
  [definition.distinctCount(5), ['int32', 'string']],
  [definition.timeSinceLast(), ['int32']],
];

describe.each(exact.flatMap(([fn, types]) => types.map((type) => ({ fn, type }))))(
  '$fn.name over $type',
  ({ fn, type }) => {
    it('equals the naive answer to the last bit', () => {
      const aggregator = createAggregator(fn, type);
      const naive = naiveAggregation(fn.name, fn.params, type === 'int32' || type === 'int64');
      const rows = fc.array(
        fc.record({
          eventTimeUs: fc.integer({ min: 0, max: 20 }),
          value: fc.option(VALUES[type] as fc.Arbitrary<FieldValue>),
        }),
        { maxLength: 15 },
      );
      fc.assert(
        fc.property(rows, (all) => {
          const ir = irOf(
            aggregator,
            batchOf(type, all),
            all.map((_, i) => i),
          );
          const naiveRows: NaiveRow[] = all.map(({ eventTimeUs, value }, i) => ({
            value,
            order: orderAt(eventTimeUs, i),
          }));
          expect(aggregator.finalize(ir, AT_US)).toEqual(naive(naiveRows, AT_US));
        }),
        { numRuns: 100 },
      );
    });
  },
);

describe('skew and kurtosis', () => {
  const values = [1.1, 2.2, 3.3, 4.4, 5.5];

  it('are 0 and -1.3 for five evenly spaced values', () => {
    expect(finalOf(definition.skew(), values)).toBeCloseTo(0, 12);
    expect(finalOf(definition.kurtosis(), values)).toBeCloseTo(-1.3, 12);
  });

  it('are NaN where they are not defined, and null without values', () => {
    expect(finalOf(definition.skew(), [1, 2])).toBeNaN();
    expect(finalOf(definition.kurtosis(), [1, 2, 3])).toBeNaN();
    expect(finalOf(definition.skew(), [3, 3, 3])).toBeNaN();
    expect(finalOf(definition.kurtosis(), [])).toBeNull();
  });

  it('keep every digit when the mean is large beside the spread', () => {
    const near = [1e8 + 1, 1e8 + 2, 1e8 + 4];
    expect(finalOf(definition.variancePopulation(), near)).toBe(
      finalOf(definition.variancePopulation(), [1, 2, 4]),
    );
    expect(finalOf(definition.skew(), near)).toBe(finalOf(definition.skew(), [1, 2, 4]));
  });
});

describe('percentile', () => {
  it('is within the stated relative error of the value at its rank', () => {
    const value = fc
      .double({ noNaN: true, min: -1e12, max: 1e12 })
      .filter((x) => x === 0 || Math.abs(x) >= 2 ** -1_022);
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (xs, p) => {
          const want = [...xs].sort((a, b) => a - b)[Math.floor(p * (xs.length - 1))] as number;
          const got = finalOf(definition.percentile(p, 0.02), xs) as number;
          expect(Math.abs(got - want)).toBeLessThanOrEqual(0.02 * Math.abs(want) * (1 + 1e-9));
        },
      ),
    );
  });
});

describe('approxDistinctCount', () => {
  it.each([10, 1_000, 50_000])('is within four standard errors for %i values', (n) => {
    const got = Number(
      finalOf(
        definition.approxDistinctCount(12),
        Array.from({ length: n }, (_, i) => i),
      ),
    );
    expect(Math.abs(got - n)).toBeLessThanOrEqual(Math.max(1, (4 * 1.04 * n) / Math.sqrt(2 ** 12)));
  });
});

describe('decayedSum', () => {
  it('halves with each half-life', () => {
    const aggregator = createAggregator(definition.decayedSum('1s'), 'float64');
    const batch = batchOf('float64', [{ eventTimeUs: 1_500_000, value: 8 }]);
    const ir = irOf(aggregator, batch, [0]);
    expect(aggregator.finalize(ir, 1_500_000)).toBe(8);
    expect(aggregator.finalize(ir, 3_500_000)).toBe(2);
  });
});

describe('sum of int64', () => {
  it('says that it overflows instead of wrapping around', () => {
    const big = 2n ** 63n - 1n;
    expect(() => finalOf(definition.sum(), [big, 1n], 'int64')).toThrow('does not fit an int64');
    expect(finalOf(definition.sum(), [big, 1n, -1n], 'int64')).toBe(big);
  });
});

describe('sums of floats', () => {
  it('carry NaN and infinities whatever the order', () => {
    expect(finalOf(definition.sum(), [1, Number.NaN, 2])).toBeNaN();
    expect(finalOf(definition.mean(), [1, Number.POSITIVE_INFINITY])).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(finalOf(definition.variancePopulation(), [1, Number.POSITIVE_INFINITY])).toBeNaN();
    expect(finalOf(definition.max(), [1, Number.NaN, 2])).toBeNaN();
    expect(finalOf(definition.min(), [1, Number.NaN, 2])).toBe(1);
  });
});

function finalOf(
  fn: definition.AggregationFunction,
  values: readonly FieldValue[],
  type: FieldType = 'float64',
): FieldValue {
  const aggregator = createAggregator(fn, type);
  const all = values.map((value, i) => ({ eventTimeUs: i, value }));
  return aggregator.finalize(
    irOf(
      aggregator,
      batchOf(type, all),
      all.map((_, i) => i),
    ),
    AT_US,
  );
}

interface Batch {
  readonly column: Column;
  readonly rows: RowsInOrder;
}

function batchOf(type: FieldType, all: readonly Row[]): Batch {
  const column = makeColumn(type, all.length);
  for (const [i, { value }] of all.entries()) {
    if (value === null) continue;
    column.valid[i] = 1;
    (column.values as FieldValue[])[i] = type === 'bool' ? Number(value) : value;
  }
  const rows: RowsInOrder = {
    eventTimesUs: Float64Array.from(all, (row) => row.eventTimeUs),
    createdTimesUs: new Float64Array(all.length),
    offsets: Float64Array.from(all, (_, i) => i),
    rank: 1,
    partition: 0,
  };
  return { column, rows };
}

function orderAt(eventTimeUs: number, offset: number): RowOrder {
  return { eventTimeUs, createdTimeUs: 0, rank: 1, partition: 0, offset };
}

function irOf(
  aggregator: Aggregator,
  { column, rows }: Batch,
  indices: readonly number[],
): unknown {
  const ir = aggregator.create();
  for (const i of indices) aggregator.update(ir, column, rows, i);
  return ir;
}

function encode(aggregator: Aggregator, ir: unknown): string {
  const out = new ByteWriter();
  aggregator.encode(ir, out);
  return Buffer.from(out.toBytes()).toString('hex');
}

function decode(aggregator: Aggregator, hex: string): unknown {
  return aggregator.decode(new ByteReader(Buffer.from(hex, 'hex')));
}

function outcome(of: () => FieldValue): unknown {
  try {
    return of();
  } catch (error) {
    return String(error);
  }
}

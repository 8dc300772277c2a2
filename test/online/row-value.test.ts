import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldType, FieldValue, Schema } from '../../src/core/field-type.ts';
import { RANK_BATCH, RANK_STREAM } from '../../src/core/row-order.ts';
import {
  FEATURE_ABSENT,
  FEATURE_NULL,
  FEATURE_PRESENT,
  RowValueDecoder,
  RowValueEncoder,
  readStoredOrder,
} from '../../src/online/row-value.ts';
import { makeRows } from './make-rows.ts';

const text = fc.string({ unit: 'grapheme' });
const scalars: Record<string, fc.Arbitrary<unknown>> = {
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float32: fc.float(),
  float64: fc.double(),
  string: text,
  bool: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 5 }),
  timestamp: fc.maxSafeInteger(),
};
const types: Record<string, fc.Arbitrary<unknown>> = { json: fc.jsonValue() };
for (const [type, values] of Object.entries(scalars)) {
  types[type] = values;
  types[`${type}[]`] = fc.array(values, { maxLength: 3 });
}

/** A feature: its type, and a value, null, or absent. */
const feature = fc
  .constantFrom(...Object.keys(types))
  .chain((type) =>
    fc.tuple(
      fc.constant(type as FieldType),
      fc.oneof(types[type]!, fc.constant(null), fc.constant(undefined)),
    ),
  );

const features = fc.array(feature, { minLength: 1, maxLength: 9 });

function layoutOf(schema: Schema) {
  return { id: 258, names: Object.keys(schema), types: Object.values(schema) };
}

describe('row values', () => {
  it('give back values, nulls and absences of every type', () => {
    fc.assert(
      fc.property(
        features,
        fc.maxSafeInteger(),
        fc.option(fc.maxSafeInteger(), { nil: undefined }),
        fc.maxSafeNat(),
        fc.constantFrom(RANK_BATCH, RANK_STREAM),
        (list, at, created, offset, rank) => {
          const names = list.map((_, i) => `f${i}`);
          const schema = Object.fromEntries(list.map(([type], i) => [names[i], type])) as Schema;
          const present = names.filter((_, i) => list[i]![1] !== undefined);
          const rows = makeRows(Object.fromEntries(present.map((name) => [name, schema[name]!])), [
            {
              at,
              offset,
              ...(created !== undefined && { created }),
              ...Object.fromEntries(list.map(([, value], i) => [names[i], value])),
            },
          ]);
          const layout = layoutOf(schema);
          const bytes = new RowValueEncoder(layout, rows.layout.index).encode(rows, 0, rank);
          const order = {
            eventTimeUs: at,
            createdTimeUs: rows.createdTimesUs[0],
            rank,
            offset,
          };
          expect(readStoredOrder(bytes)).toEqual(order);
          const row = new RowValueDecoder(layout, names, layout.types).decode(bytes);
          expect(row).toMatchObject(order);
          expect(row.states).toEqual(
            list.map(([type, value]) =>
              value === undefined
                ? FEATURE_ABSENT
                : value === null || (type === 'json' && value === null)
                  ? FEATURE_NULL
                  : FEATURE_PRESENT,
            ),
          );
          const wanted = names.map((name): FieldValue => {
            const place = rows.layout.index.get(name);
            const column = place === undefined ? undefined : rows.columns[place];
            if (column === undefined || column.valid[0] === 0) return null;
            const value = column.values[0] as FieldValue;
            return column.type === 'bool' ? value === 1 : value;
          });
          expect(row.values).toEqual(wanted);
        },
      ),
    );
  });

  const layout = layoutOf({ a: 'int32', b: 'string', c: 'bool' });
  const rows = makeRows({ a: 'int32', b: 'string', c: 'bool' }, [{ at: 5, a: 1, b: 'x', c: true }]);
  const bytes = new RowValueEncoder(layout, rows.layout.index).encode(rows, 0, RANK_STREAM);

  it('are read in the order that is asked for', () => {
    const row = new RowValueDecoder(layout, ['c', 'a'], ['bool', 'int32']).decode(bytes);
    expect(row.values).toEqual([true, 1]);
  });

  it('have no feature of another name or type', () => {
    const row = new RowValueDecoder(layout, ['d', 'a'], ['int32', 'string']).decode(bytes);
    expect(row.states).toEqual([FEATURE_ABSENT, FEATURE_ABSENT]);
    expect(row.values).toEqual([null, null]);
  });

  it('are corrupt when bytes are missing or left over', () => {
    const decoder = new RowValueDecoder(layout, ['a'], ['int32']);
    const corrupt = expect.objectContaining({ code: 'STORE_CORRUPT' });
    for (let size = 0; size < bytes.length; size++) {
      expect(() => decoder.decode(bytes.subarray(0, size))).toThrow(corrupt);
    }
    expect(() => decoder.decode(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(corrupt);
  });

  it('of fixed sizes are read whichever features are asked for, and whichever are there', () => {
    const sized = ['int32', 'int64', 'float32', 'float64', 'bool', 'timestamp'] as const;
    const column = fc
      .constantFrom(...sized)
      .chain((type) =>
        fc.tuple(
          fc.constant(type),
          fc.option(scalars[type]!, { freq: 12 }),
          fc.boolean(),
          fc.nat(1000),
        ),
      );
    fc.assert(
      fc.property(fc.array(column, { minLength: 1, maxLength: 9 }), (columns) => {
        const schema = Object.fromEntries(columns.map(([type], i) => [`f${i}`, type])) as Schema;
        const row = Object.fromEntries(columns.map(([, value], i) => [`f${i}`, value]));
        const rows = makeRows(schema, [{ at: 7, ...row }]);
        const layout = layoutOf(schema);
        const bytes = new RowValueEncoder(layout, rows.layout.index).encode(rows, 0, RANK_STREAM);
        const asked = columns
          .map(([type, , isAsked, rank], i) => ({ name: `f${i}`, type, isAsked, rank }))
          .filter(({ isAsked }) => isAsked)
          .sort((a, b) => a.rank - b.rank);
        const names = asked.map(({ name }) => name);
        const decoder = new RowValueDecoder(
          layout,
          names,
          asked.map(({ type }) => type),
        );
        const all = new RowValueDecoder(layout, layout.names, layout.types).decode(bytes);
        const some = decoder.decode(bytes);
        const places = names.map((name) => layout.names.indexOf(name));
        expect(some.values).toEqual(places.map((place) => all.values[place]));
        expect(some.states).toEqual(places.map((place) => all.states[place]));
        const corrupt = expect.objectContaining({ code: 'STORE_CORRUPT' });
        expect(() => decoder.decode(bytes.subarray(0, bytes.length - 1))).toThrow(corrupt);
        expect(() => decoder.decode(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(corrupt);
      }),
    );
  });

  it('have one form of NaN', () => {
    const payload = new Float64Array(new BigUint64Array([0x7ff8_0000_0000_0001n]).buffer)[0];
    const encoded = [Number.NaN, payload].map((a) => {
      const nan = makeRows({ a: 'float64' }, [{ at: 0, a }]);
      return new RowValueEncoder(layoutOf({ a: 'float64' }), nan.layout.index).encode(nan, 0, 0);
    });
    expect(encoded[0]).toEqual(encoded[1]);
  });
});

import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import type { FieldType, FieldValue } from '../../core/field-type.ts';
import type { Column } from '../../core/row-batch.ts';
import { compareRowOrder, type RowOrder, type SourceRank } from '../../core/row-order.ts';
import type { Aggregator, RowsInOrder } from '../aggregator.ts';
import { valueOrder } from './compare-values.ts';
import { asHeld, asValue } from './extreme.ts';
import { valueCodec } from './value-codec.ts';

interface Entry {
  readonly order: RowOrder;
  readonly value: FieldValue;
}

/** At most n entries, the best first. */
interface EntriesIr {
  readonly entries: Entry[];
}

/** The value of the first row in the total order of rows. */
export const firstAggregator = (type: FieldType): Aggregator<never> => ordered(type, 1, 1, true);
/** The value of the last row in the total order of rows. */
export const lastAggregator = (type: FieldType): Aggregator<never> => ordered(type, 1, -1, true);
/** The values of the first n rows, oldest first. */
export const firstNAggregator = (type: FieldType, n: number): Aggregator<never> =>
  ordered(type, n, 1, false);
/** The values of the last n rows, newest first. */
export const lastNAggregator = (type: FieldType, n: number): Aggregator<never> =>
  ordered(type, n, -1, false);

/** The n greatest values, greatest first; equal values are kept. */
export function topNAggregator(type: FieldType, n: number): Aggregator<never> {
  const order = valueOrder(type);
  const codec = valueCodec(type);
  const aggregator: Aggregator<{ values: FieldValue[] }> = {
    outputType: `${type}[]` as FieldType,
    create: () => ({ values: [] }),
    update: (ir, column, _rows, i) => {
      const { valid, values } = column as Column;
      if (valid[i] === 1)
        insertBounded(ir.values, values[i] as FieldValue, n, (a, b) => order(b, a));
    },
    merge: (into, from) => {
      for (const value of from.values) insertBounded(into.values, value, n, (a, b) => order(b, a));
    },
    finalize: (ir) => asArray(type, ir.values),
    encode: (ir, out) => {
      out.varint(ir.values.length);
      for (const value of ir.values) codec.write(value, out);
    },
    decode: (input) => ({
      values: Array.from({ length: input.varint() }, () => asHeld(type, codec.read(input))),
    }),
  };
  return aggregator as unknown as Aggregator<never>;
}

/** `direction` 1 keeps the first rows, -1 the last. */
function ordered(
  type: FieldType,
  n: number,
  direction: 1 | -1,
  single: boolean,
): Aggregator<never> {
  const codec = valueCodec(type);
  const compare = (a: Entry, b: Entry): number => direction * compareRowOrder(a.order, b.order);
  const aggregator: Aggregator<EntriesIr> = {
    outputType: single ? type : (`${type}[]` as FieldType),
    create: () => ({ entries: [] }),
    update: (ir, column, rows, i) => {
      const { valid, values } = column as Column;
      if (valid[i] === 0) return;
      const worst = ir.entries.length === n ? ir.entries[n - 1] : undefined;
      // Most rows lose on event time alone; those cost no entry.
      if (worst && direction * ((rows.eventTimesUs[i] as number) - worst.order.eventTimeUs) > 0)
        return;
      insertBounded(
        ir.entries,
        { order: orderOf(rows, i), value: values[i] as FieldValue },
        n,
        compare,
      );
    },
    merge: (into, from) => {
      for (const entry of from.entries) insertBounded(into.entries, entry, n, compare);
    },
    finalize: (ir) => {
      const values = ir.entries.map((entry) => entry.value);
      return single ? asValue(type, values[0] ?? null) : asArray(type, values);
    },
    encode: (ir, out) => {
      out.varint(ir.entries.length);
      for (const { order, value } of ir.entries) {
        encodeOrder(order, out);
        codec.write(value, out);
      }
    },
    decode: (input) => ({
      entries: Array.from({ length: input.varint() }, () => {
        const order = decodeOrder(input);
        return { order, value: asHeld(type, codec.read(input)) };
      }),
    }),
  };
  return aggregator as unknown as Aggregator<never>;
}

/** Keeps `items` sorted and at most n long. */
function insertBounded<T>(items: T[], item: T, n: number, compare: (a: T, b: T) => number): void {
  let at = items.length;
  while (at > 0 && compare(items[at - 1] as T, item) > 0) at--;
  if (at >= n) return;
  items.splice(at, 0, item);
  if (items.length > n) items.pop();
}

function asArray(type: FieldType, held: readonly FieldValue[]): FieldValue {
  return held.length === 0 ? null : (held.map((value) => asValue(type, value)) as FieldValue);
}

function orderOf(rows: RowsInOrder, i: number): RowOrder {
  return {
    eventTimeUs: rows.eventTimesUs[i] as number,
    createdTimeUs: rows.createdTimesUs[i] as number,
    rank: rows.rank,
    partition: rows.partition,
    offset: rows.offsets[i] as number,
  };
}

function encodeOrder(order: RowOrder, out: ByteWriter): void {
  out.f64(order.eventTimeUs);
  out.f64(order.createdTimeUs);
  out.u8(order.rank);
  out.varint(order.partition);
  out.varint(order.offset);
}

function decodeOrder(input: ByteReader): RowOrder {
  return {
    eventTimeUs: input.f64(),
    createdTimeUs: input.f64(),
    rank: input.u8() as SourceRank,
    partition: input.varint(),
    offset: input.varint(),
  };
}

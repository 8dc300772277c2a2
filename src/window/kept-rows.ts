/**
 * Rows that are kept themselves, with the columns that aggregations read: for exact sliding windows,
 * whose edges fall between the rows of a tile, and for windows of the last rows.
 */
import type { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { FieldValue } from '../core/field-type.ts';
import { type Column, columnValue, makeColumn } from '../core/row-batch.ts';
import { compareRowOrder, type RowOrder, type SourceRank } from '../core/row-order.ts';
import type { RowsInOrder } from './aggregator.ts';
import { valueCodec } from './aggregators/value-codec.ts';
import type { PlannedColumn, Slot } from './window-plan.ts';

export interface KeptRow {
  readonly order: RowOrder;
  /** By position in the group's columns. */
  readonly values: readonly FieldValue[];
}

/** Row i of a batch. `columns` are the group's, in order. */
export function keepRow(columns: readonly Column[], rows: RowsInOrder, i: number): KeptRow {
  return {
    order: {
      eventTimeUs: rows.eventTimesUs[i] as number,
      createdTimeUs: rows.createdTimesUs[i] as number,
      rank: rows.rank,
      partition: rows.partition,
      offset: rows.offsets[i] as number,
    },
    values: columns.map((column) => columnValue(column, i)),
  };
}

/** Inserts into rows sorted by their order. */
export function insertKept(kept: KeptRow[], row: KeptRow): void {
  let at = kept.length;
  while (at > 0 && compareRowOrder((kept[at - 1] as KeptRow).order, row.order) > 0) at--;
  kept.splice(at, 0, row);
}

/** Takes kept rows into account as if they had come in a batch. */
export function updateWithKept(
  slots: readonly Slot[],
  columns: readonly PlannedColumn[],
  irs: readonly unknown[],
  kept: readonly KeptRow[],
): void {
  const held = columns.map((column, c) => columnOf(column, kept, c));
  const places = slots.map((slot) => columns.findIndex(({ name }) => name === slot.column));
  const times = timesOf(kept);
  for (const [i, { order }] of kept.entries()) {
    const rows: RowsInOrder = { ...times, rank: order.rank, partition: order.partition };
    for (const [s, slot] of slots.entries()) {
      slot.aggregator.update(irs[s], held[places[s] as number] ?? null, rows, i);
    }
  }
}

export function encodeKept(
  columns: readonly PlannedColumn[],
  kept: readonly KeptRow[],
  out: ByteWriter,
): void {
  const codecs = columns.map(({ type }) => valueCodec(type));
  out.varint(kept.length);
  for (const { order, values } of kept) {
    out.f64(order.eventTimeUs);
    out.f64(order.createdTimeUs);
    out.u8(order.rank);
    out.varint(order.partition);
    out.varint(order.offset);
    for (const [c, codec] of codecs.entries()) {
      const value = values[c] as FieldValue;
      out.u8(value === null ? 0 : 1);
      if (value !== null) codec.write(value, out);
    }
  }
}

export function decodeKept(columns: readonly PlannedColumn[], input: ByteReader): KeptRow[] {
  const codecs = columns.map(({ type }) => valueCodec(type));
  return Array.from({ length: input.varint() }, () => {
    const order: RowOrder = {
      eventTimeUs: input.f64(),
      createdTimeUs: input.f64(),
      rank: input.u8() as SourceRank,
      partition: input.varint(),
      offset: input.varint(),
    };
    return { order, values: codecs.map((codec) => (input.u8() === 0 ? null : codec.read(input))) };
  });
}

function columnOf(planned: PlannedColumn, kept: readonly KeptRow[], c: number): Column {
  const column = makeColumn(planned.type, kept.length);
  for (const [i, { values }] of kept.entries()) {
    const value = values[c] as FieldValue;
    if (value === null) continue;
    column.valid[i] = 1;
    (column.values as FieldValue[])[i] = planned.type === 'bool' ? Number(value) : value;
  }
  return column;
}

function timesOf(
  kept: readonly KeptRow[],
): Pick<RowsInOrder, 'eventTimesUs' | 'createdTimesUs' | 'offsets'> {
  return {
    eventTimesUs: Float64Array.from(kept, ({ order }) => order.eventTimeUs),
    createdTimesUs: Float64Array.from(kept, ({ order }) => order.createdTimeUs),
    offsets: Float64Array.from(kept, ({ order }) => order.offset),
  };
}

import type { Column } from '../../core/row-batch.ts';
import type { Aggregator } from '../aggregator.ts';

export interface CountIr {
  count: number;
}

/** Rows, or values that are not null. */
export const countAggregator: Aggregator<CountIr> = {
  outputType: 'int64',
  create: () => ({ count: 0 }),
  update: (ir, column, _rows, i) => {
    if (column === null || column.valid[i] === 1) ir.count++;
  },
  merge: (into, from) => {
    into.count += from.count;
  },
  finalize: (ir) => BigInt(ir.count),
  encode: (ir, out) => out.varint(ir.count),
  decode: (input) => ({ count: input.varint() }),
};

export interface FlagsIr {
  trues: number;
  falses: number;
}

const flags: Omit<Aggregator<FlagsIr>, 'finalize'> = {
  outputType: 'bool',
  create: () => ({ trues: 0, falses: 0 }),
  update: (ir, column, _rows, i) => {
    const { valid, values } = column as Column;
    if (valid[i] === 0) return;
    if (values[i] === 1) ir.trues++;
    else ir.falses++;
  },
  merge: (into, from) => {
    into.trues += from.trues;
    into.falses += from.falses;
  },
  encode: (ir, out) => {
    out.varint(ir.trues);
    out.varint(ir.falses);
  },
  decode: (input) => ({ trues: input.varint(), falses: input.varint() }),
};

export const anyAggregator: Aggregator<FlagsIr> = {
  ...flags,
  finalize: (ir) => (ir.trues + ir.falses === 0 ? null : ir.trues > 0),
};

export const allAggregator: Aggregator<FlagsIr> = {
  ...flags,
  finalize: (ir) => (ir.trues + ir.falses === 0 ? null : ir.falses === 0),
};

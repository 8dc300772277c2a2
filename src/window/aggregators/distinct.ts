import { ByteWriter } from '../../core/bytes.ts';
import type { FieldType, FieldValue } from '../../core/field-type.ts';
import type { Column } from '../../core/row-batch.ts';
import type { Aggregator } from '../aggregator.ts';
import { valueOrder } from './compare-values.ts';
import { asHeld } from './extreme.ts';
import { hash64 } from './hash64.ts';
import { valueCodec } from './value-codec.ts';

/** How often each distinct value came; null once there were more than the bound. */
interface TallyIr {
  counts: Map<string | number | bigint, Tally> | null;
}

interface Tally {
  readonly value: FieldValue;
  count: number;
}

/** Distinct values, exact up to `bound`; beyond, the bound. */
export function distinctCountAggregator(type: FieldType, bound: number): Aggregator<never> {
  return tallying(type, bound, 'int64', (tallies) =>
    BigInt(tallies === null ? bound : tallies.length),
  );
}

/** Distinct values that a histogram tells apart; beyond, it has no answer. */
const HISTOGRAM_VALUES_MAX = 10_000;

/** Counts of the k most frequent values by their text, ties by value; null beyond the bound. */
export function histogramAggregator(type: FieldType, k: number): Aggregator<never> {
  const order = valueOrder(type);
  return tallying(type, HISTOGRAM_VALUES_MAX, 'json', (tallies) => {
    if (tallies === null || tallies.length === 0) return null;
    const frequent = [...tallies].sort((a, b) => b.count - a.count || order(a.value, b.value));
    return Object.fromEntries(frequent.slice(0, k).map((t) => [textOf(type, t.value), t.count]));
  });
}

function tallying(
  type: FieldType,
  bound: number,
  outputType: FieldType,
  finish: (tallies: Tally[] | null) => FieldValue,
): Aggregator<never> {
  const codec = valueCodec(type);
  const order = valueOrder(type);
  const keyOf = keyer(type);
  const add = (ir: TallyIr, value: FieldValue, count: number): void => {
    if (ir.counts === null) return;
    const key = keyOf(value);
    const found = ir.counts.get(key);
    if (found !== undefined) found.count += count;
    else if (ir.counts.size === bound) ir.counts = null;
    else ir.counts.set(key, { value, count });
  };
  const aggregator: Aggregator<TallyIr> = {
    outputType,
    create: () => ({ counts: new Map() }),
    update: (ir, column, _rows, i) => {
      const { valid, values } = column as Column;
      if (valid[i] === 1) add(ir, values[i] as FieldValue, 1);
    },
    merge: (into, from) => {
      if (from.counts === null) into.counts = null;
      else for (const { value, count } of from.counts.values()) add(into, value, count);
    },
    finalize: (ir) => finish(ir.counts === null ? null : [...ir.counts.values()]),
    encode: (ir, out) => {
      out.u8(ir.counts === null ? 0 : 1);
      if (ir.counts === null) return;
      out.varint(ir.counts.size);
      for (const tally of [...ir.counts.values()].sort((a, b) => order(a.value, b.value))) {
        codec.write(tally.value, out);
        out.varint(tally.count);
      }
    },
    decode: (input) => {
      if (input.u8() === 0) return { counts: null };
      const counts: TallyIr['counts'] = new Map();
      for (let left = input.varint(); left > 0; left--) {
        const value = asHeld(type, codec.read(input));
        counts.set(keyOf(value), { value, count: input.varint() });
      }
      return { counts };
    },
  };
  return aggregator as unknown as Aggregator<never>;
}

/** HyperLogLog registers, only those that are not 0 (P. Flajolet and others, 2007). */
interface RegistersIr {
  readonly registers: Map<number, number>;
}

/**
 * Distinct values, estimated: standard error 1.04 / sqrt(2^precision), with linear counting while
 * few registers are set.
 */
export function approxDistinctCountAggregator(
  type: FieldType,
  precision: number,
): Aggregator<never> {
  const codec = valueCodec(type);
  const scratch = new ByteWriter();
  const raise = (ir: RegistersIr, register: number, rank: number): void => {
    if (rank > (ir.registers.get(register) ?? 0)) ir.registers.set(register, rank);
  };
  const aggregator: Aggregator<RegistersIr> = {
    outputType: 'int64',
    create: () => ({ registers: new Map() }),
    update: (ir, column, _rows, i) => {
      const { valid, values } = column as Column;
      if (valid[i] === 0) return;
      scratch.reset();
      codec.write(values[i] as FieldValue, scratch);
      const [high, low] = hash64(scratch.toBytes());
      raise(ir, high >>> (32 - precision), rankOf(high, low, precision));
    },
    merge: (into, from) => {
      for (const [register, rank] of from.registers) raise(into, register, rank);
    },
    finalize: (ir) => BigInt(estimate(ir.registers, 2 ** precision)),
    encode: (ir, out) => {
      out.varint(ir.registers.size);
      let previous = -1;
      for (const [register, rank] of [...ir.registers].sort(([a], [b]) => a - b)) {
        out.varint(register - previous - 1);
        out.u8(rank);
        previous = register;
      }
    },
    decode: (input) => {
      const registers = new Map<number, number>();
      let register = -1;
      for (let left = input.varint(); left > 0; left--) {
        register += input.varint() + 1;
        registers.set(register, input.u8());
      }
      return { registers };
    },
  };
  return aggregator as unknown as Aggregator<never>;
}

/** 1 and the leading zeros behind the register's bits. */
function rankOf(high: number, low: number, precision: number): number {
  const rest = (high << precision) >>> 0;
  const zeros = rest === 0 ? 32 - precision + Math.clz32(low) : Math.clz32(rest);
  return zeros + 1;
}

function estimate(registers: ReadonlyMap<number, number>, size: number): number {
  const unset = size - registers.size;
  let harmonic = unset;
  for (const [, rank] of [...registers].sort(([a], [b]) => a - b)) harmonic += 2 ** -rank;
  const raw = ((0.7213 / (1 + 1.079 / size)) * size * size) / harmonic;
  const linear = unset > 0 ? size * Math.log(size / unset) : raw;
  return Math.round(raw <= 2.5 * size && unset > 0 ? linear : raw);
}

/** A Map key by which equal values are equal; -0 and 0 are told apart, all NaNs are one. */
function keyer(type: FieldType): (value: FieldValue) => string | number | bigint {
  switch (type) {
    case 'float32':
    case 'float64':
      return (value) => (Object.is(value, -0) ? '-0' : (value as number));
    case 'bytes':
      return (value) => Buffer.from(value as Uint8Array).toString('base64');
    default:
      return (value) => value as string | number | bigint;
  }
}

function textOf(type: FieldType, value: FieldValue): string {
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  if (type === 'bool') return value === 1 ? 'true' : 'false';
  return Object.is(value, -0) ? '-0' : String(value);
}

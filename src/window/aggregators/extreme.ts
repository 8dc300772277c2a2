import type { FieldType, FieldValue } from '../../core/field-type.ts';
import type { Column } from '../../core/row-batch.ts';
import type { Aggregator } from '../aggregator.ts';
import { type ValueOrder, valueOrder } from './compare-values.ts';
import { valueCodec } from './value-codec.ts';

/** The extreme value so far as the column holds it (a bool is 0 or 1); null before the first. */
interface ExtremeIr {
  value: FieldValue;
}

/** The least value in the order of the type. */
export function minAggregator(type: FieldType): Aggregator<never> {
  return extreme(type, (order) => (a, b) => order(a, b) < 0);
}

/** The greatest value in the order of the type; NaN is greater than all. */
export function maxAggregator(type: FieldType): Aggregator<never> {
  return extreme(type, (order) => (a, b) => order(a, b) > 0);
}

function extreme(
  type: FieldType,
  rule: (order: ValueOrder) => (candidate: FieldValue, held: FieldValue) => boolean,
): Aggregator<never> {
  const wins = rule(valueOrder(type));
  const codec = valueCodec(type);
  const take = (ir: ExtremeIr, value: FieldValue): void => {
    if (ir.value === null || wins(value, ir.value)) ir.value = value;
  };
  const aggregator: Aggregator<ExtremeIr> = {
    outputType: type,
    create: () => ({ value: null }),
    update: (ir, column, _rows, i) => {
      const { valid, values } = column as Column;
      if (valid[i] === 1) take(ir, values[i] as FieldValue);
    },
    merge: (into, from) => {
      if (from.value !== null) take(into, from.value);
    },
    finalize: (ir) => asValue(type, ir.value),
    encode: (ir, out) => {
      out.u8(ir.value === null ? 0 : 1);
      if (ir.value !== null) codec.write(ir.value, out);
    },
    decode: (input) => ({ value: input.u8() === 0 ? null : asHeld(type, codec.read(input)) }),
  };
  return aggregator as unknown as Aggregator<never>;
}

/** A held value as Freshet returns it. */
export function asValue(type: FieldType, held: FieldValue): FieldValue {
  return type === 'bool' && held !== null ? held === 1 : held;
}

/** A returned value as a column holds it. */
export function asHeld(type: FieldType, value: FieldValue): FieldValue {
  return type === 'bool' && value !== null ? (value ? 1 : 0) : value;
}

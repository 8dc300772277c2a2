import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import type { FieldType, FieldValue } from '../../core/field-type.ts';
import type { Column } from '../../core/row-batch.ts';
import { FreshetError } from '../../errors.ts';
import type { Aggregator } from '../aggregator.ts';
import { ExactSum } from '../exact-sum.ts';
import { rationalOf, roundedRatio } from './exact-rational.ts';
import { WholeSum } from './whole-sum.ts';

interface SumIr<S> {
  count: number;
  readonly sum: S;
}

/** The exact sum: int64 of whole numbers, a float64 rounded once of others; null without values. */
export function sumAggregator(columnType: FieldType): Aggregator<never> {
  return (isWhole(columnType)
    ? { ...wholeSums(columnType), outputType: 'int64', finalize: wholeTotal }
    : {
        ...floatSums,
        outputType: 'float64',
        finalize: floatTotal,
      }) as unknown as Aggregator<never>;
}

/** The exact sum over the count, rounded once; null without values. */
export function meanAggregator(columnType: FieldType): Aggregator<never> {
  return (isWhole(columnType)
    ? { ...wholeSums(columnType), outputType: 'float64', finalize: wholeMean }
    : { ...floatSums, outputType: 'float64', finalize: floatMean }) as unknown as Aggregator<never>;
}

function isWhole(type: FieldType): boolean {
  return type === 'int32' || type === 'int64';
}

export function encodeExactSum(sum: ExactSum, out: ByteWriter): void {
  const parts = sum.parts();
  out.varint(parts.length);
  for (const part of parts) out.f64(part);
}

export function decodeExactSum(input: ByteReader): ExactSum {
  const parts: number[] = [];
  for (let left = input.varint(); left > 0; left--) parts.push(input.f64());
  return ExactSum.fromParts(parts);
}

type Sums<S> = Omit<Aggregator<SumIr<S>>, 'outputType' | 'finalize'>;

function wholeSums(columnType: FieldType): Sums<WholeSum> {
  const update: Sums<WholeSum>['update'] =
    columnType === 'int32'
      ? (ir, column, _rows, i) => {
          const { valid, values } = column as Column;
          if (valid[i] === 0) return;
          ir.count++;
          ir.sum.addNumber(values[i] as number);
        }
      : (ir, column, _rows, i) => {
          const { valid, values } = column as Column;
          if (valid[i] === 0) return;
          ir.count++;
          ir.sum.addBigint(values[i] as bigint);
        };
  return {
    create: () => ({ count: 0, sum: new WholeSum() }),
    update,
    merge: (into, from) => {
      into.count += from.count;
      into.sum.merge(from.sum);
    },
    encode: (ir, out) => {
      out.varint(ir.count);
      ir.sum.encode(out);
    },
    decode: (input) => ({ count: input.varint(), sum: WholeSum.decode(input) }),
  };
}

const floatSums: Sums<ExactSum> = {
  create: () => ({ count: 0, sum: new ExactSum() }),
  update: (ir, column, _rows, i) => {
    const { valid, values } = column as Column;
    if (valid[i] === 0) return;
    ir.count++;
    ir.sum.add(values[i] as number);
  },
  merge: (into, from) => {
    into.count += from.count;
    into.sum.merge(from.sum);
  },
  encode: (ir, out) => {
    out.varint(ir.count);
    encodeExactSum(ir.sum, out);
  },
  decode: (input) => ({ count: input.varint(), sum: decodeExactSum(input) }),
};

function wholeTotal(ir: SumIr<WholeSum>): FieldValue {
  if (ir.count === 0) return null;
  const total = ir.sum.total();
  if (BigInt.asIntN(64, total) !== total) {
    throw new FreshetError('AGGREGATE_OVERFLOW', `the sum ${total} does not fit an int64`);
  }
  return total;
}

function wholeMean(ir: SumIr<WholeSum>): FieldValue {
  return ir.count === 0 ? null : ir.sum.over(ir.count);
}

function floatTotal(ir: SumIr<ExactSum>): FieldValue {
  return ir.count === 0 ? null : ir.sum.value();
}

function floatMean(ir: SumIr<ExactSum>): FieldValue {
  if (ir.count === 0) return null;
  const parts = ir.sum.parts();
  // An infinity or NaN, or the exact sum: its quotient is rounded once. No part: 0.
  if (parts.length < 2) return (parts[0] ?? 0) / ir.count;
  const { numerator, scaleBits } = rationalOf(parts);
  return roundedRatio(numerator, BigInt(ir.count) << BigInt(scaleBits));
}

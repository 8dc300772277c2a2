import type { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import type { Column } from '../core/row-batch.ts';
import type { SourceRank } from '../core/row-order.ts';

/**
 * One aggregation as an algebra over an intermediate representation (IR). The result and the bytes
 * depend on the set of rows alone (and on their total order where the function asks for an order):
 * not on the order in which rows come, nor on how they were grouped into IRs that were merged.
 */
export interface Aggregator<IR = unknown> {
  readonly outputType: FieldType;
  /** The IR of no rows. */
  create(): IR;
  /** Takes row i into account, in place. `column` is null for aggregations that read none. */
  update(ir: IR, column: Column | null, rows: RowsInOrder, i: number): void;
  /** Takes the rows of `from` into account, in place; `from` stays as it is. */
  merge(into: IR, from: IR): void;
  /** The feature's value at the time of the read, in microseconds. */
  finalize(ir: IR, atUs: number): FieldValue;
  /**
   * `finalize` of the merge of several IRs, which stay as they are, where that costs less than merging
   * them; undefined where it does not.
   */
  finalizeMerged?(irs: readonly IR[], atUs: number): FieldValue | undefined;
  /** Canonical: equal sets of rows give equal bytes. */
  encode(ir: IR, out: ByteWriter): void;
  decode(input: ByteReader): IR;
}

/** Where the rows of a batch stand in the total order of rows (`core/row-order.ts`). */
export interface RowsInOrder {
  readonly eventTimesUs: Float64Array;
  readonly createdTimesUs: Float64Array;
  readonly offsets: Float64Array;
  readonly rank: SourceRank;
  readonly partition: number;
}

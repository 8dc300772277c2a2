import type { RowReject } from './feature-producer.ts';

/** Rows of an input in its order. */
export interface RowReader {
  /** Rows in the input; null where that is known only at its end. */
  readonly rowsTotal: number | null;
  readonly batches: AsyncIterable<RowsRead>;
}

/** Rows that follow each other in the input. */
export interface RowsRead {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** The number of each row: its line in newline-delimited JSON, otherwise counted from 1. */
  readonly numbers: readonly number[];
  /** What could not be read as a row at all; `index` is the number of it. */
  readonly rejects: readonly RowReject[];
}

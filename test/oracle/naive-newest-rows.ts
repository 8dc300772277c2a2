import { compareRowOrder, NO_CREATED_TIME_US, type SourceRank } from '../../src/core/row-order.ts';
import type { TestRow } from '../online/make-rows.ts';

/** Keeps every row ever given, and looks through all of them for the newest. */
export class NaiveNewestRows {
  readonly #rows: { row: TestRow; partition: number; rank: SourceRank; offset: number }[] = [];

  add(row: TestRow, partition: number, rank: SourceRank, offset: number): void {
    this.#rows.push({ row, partition, rank, offset });
  }

  newest(matches: (row: TestRow) => boolean): TestRow | null {
    const found = this.#rows
      .filter(({ row }) => matches(row))
      .sort((a, b) => compareRowOrder(orderOf(a), orderOf(b)));
    return found.at(-1)?.row ?? null;
  }
}

function orderOf({
  row,
  ...place
}: {
  row: TestRow;
  partition: number;
  rank: SourceRank;
  offset: number;
}) {
  const createdTimeUs = row.created ?? NO_CREATED_TIME_US;
  return { eventTimeUs: row.at, createdTimeUs, ...place };
}

import type { RowReader, RowsRead } from './row-reader.ts';

/** The reader's rows behind the first `count`; for an input of which a part was sent before. */
export function skipRows(reader: RowReader, count: number): RowReader {
  return { rowsTotal: reader.rowsTotal, batches: behind(reader.batches, count) };
}

async function* behind(batches: AsyncIterable<RowsRead>, count: number): AsyncIterable<RowsRead> {
  let left = count;
  for await (const batch of batches) {
    const skipped = Math.min(left, batch.rows.length);
    left -= skipped;
    if (skipped === 0) yield batch;
    else if (skipped < batch.rows.length) {
      const { rows, numbers, rejects } = batch;
      yield { rows: rows.slice(skipped), numbers: numbers.slice(skipped), rejects };
    }
  }
}

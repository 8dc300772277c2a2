import type { LogBatch } from '../log/index.ts';

const TRACEPARENT = 'traceparent';
/** Headers are decoded for them: a batch of any size costs the same. */
const RECORDS_MAX = 32;

/** The traces that the first records of a batch are of, by their header `traceparent`; each once. */
export function causesOf(batch: LogBatch): string[] {
  const found = new Set<string>();
  for (let i = 0; i < Math.min(batch.count, RECORDS_MAX); i++) {
    const header = batch.headers(i).find(([name]) => name === TRACEPARENT);
    if (header !== undefined) found.add(Buffer.from(header[1]).toString('latin1'));
  }
  return [...found];
}

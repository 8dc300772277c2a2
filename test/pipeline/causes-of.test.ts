import { describe, expect, it } from 'vitest';
import type { Header, LogBatch } from '../../src/log/index.ts';
import { causesOf } from '../../src/pipeline/causes-of.ts';

const parent = (n: number): string => `00-${String(n).padStart(32, '0')}-${'1'.repeat(16)}-01`;

function batchOf(count: number, headersOf: (i: number) => readonly Header[]) {
  const asked: number[] = [];
  const headers = (i: number): readonly Header[] => {
    asked.push(i);
    return headersOf(i);
  };
  return { batch: { count, headers } as LogBatch, asked };
}

describe('the traces that records of a batch are of', () => {
  it('are each told once, in order, whatever other headers there are', () => {
    const { batch } = batchOf(5, (i) => [
      ['other', Buffer.from('x')],
      ...(i === 0 ? [] : [['traceparent', Buffer.from(parent(i >> 1))] as const]),
    ]);
    expect(causesOf(batch)).toEqual([parent(0), parent(1), parent(2)]);
  });

  it('are looked for in the first 32 records, however many there are', () => {
    const { batch, asked } = batchOf(8_192, (i) => [['traceparent', Buffer.from(parent(i))]]);
    expect(causesOf(batch)).toHaveLength(32);
    expect(asked).toHaveLength(32);
    expect(causesOf(batchOf(0, () => []).batch)).toEqual([]);
  });
});

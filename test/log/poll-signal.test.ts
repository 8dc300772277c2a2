import { describe, expect, it } from 'vitest';
import { PollSignal } from '../../src/log/index.ts';

describe('a poll that waits', () => {
  it('attempts once when it may not wait, or is aborted already', async () => {
    const signal = new PollSignal();
    let attempts = 0;
    const attempt = async (): Promise<number[]> => {
      attempts++;
      return [];
    };
    expect(await signal.poll(attempt, 0)).toEqual([]);
    expect(await signal.poll(attempt, 600_000, AbortSignal.abort())).toEqual([]);
    expect(attempts).toBe(2);
  });

  it('misses no notification that comes while it attempts', async () => {
    const signal = new PollSignal();
    let attempts = 0;
    const results = await signal.poll(async () => {
      attempts++;
      if (attempts > 2) return ['a'];
      signal.notify();
      return [];
    }, 600_000);
    expect([results, attempts]).toEqual([['a'], 3]);
  });

  it('attempts a last time when its time is up or it is aborted', async () => {
    const signal = new PollSignal();
    const stop = new AbortController();
    let attempts = 0;
    const attempt = async (): Promise<number[]> => (++attempts === 2 ? [1] : []);
    expect(await signal.poll(attempt, 1)).toEqual([1]);
    attempts = 0;
    const polled = signal.poll(attempt, 600_000, stop.signal);
    await new Promise(setImmediate);
    stop.abort();
    expect(await polled).toEqual([1]);
  });

  it('passes on what the attempt throws', async () => {
    const failing = new PollSignal().poll(() => Promise.reject(new Error('broken')), 600_000);
    await expect(failing).rejects.toThrow('broken');
  });
});

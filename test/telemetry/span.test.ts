import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { FreshetError } from '../../src/errors.ts';
import {
  beginSpan,
  endSpan,
  inSpan,
  runInSpan,
  type Span,
  spanChannels,
} from '../../src/telemetry/index.ts';

const told: string[] = [];
const spans: Span[] = [];
const onBegin = (span: unknown): void => {
  spans.push(span as Span);
  told.push(`begin ${(span as Span).name}`);
};
const onEnd = (span: unknown): void => void told.push(`end ${(span as Span).name}`);

function subscribe(): void {
  spanChannels.begin.subscribe(onBegin);
  spanChannels.end.subscribe(onEnd);
}

afterEach(() => {
  spanChannels.begin.unsubscribe(onBegin);
  spanChannels.end.unsubscribe(onEnd);
  told.length = 0;
  spans.length = 0;
});

describe('a span that nobody subscribes to', () => {
  it('is not even described: the work runs alone', async () => {
    const begin = (): never => {
      throw new Error('asked');
    };
    const work = Promise.resolve(7);
    const running = inSpan(begin, () => work, begin);
    expect(running).toBe(work);
    expect(await running).toBe(7);
    expect(beginSpan(begin)).toBeNull();
    expect(runInSpan(null, () => 8)).toBe(8);
    endSpan(null, {});
  });
});

describe('a span', () => {
  it('begins before its work and ends behind it, with what is known then', async () => {
    subscribe();
    const result = await inSpan(
      () => ({ name: 'seal', attributes: { topic: 'orders' } }),
      async () => {
        told.push('work');
        return 19;
      },
      (rows) => ({ rows }),
    );
    expect(result).toBe(19);
    expect(told).toEqual(['begin seal', 'work', 'end seal']);
    expect(spans[0]).toEqual({
      name: 'seal',
      attributes: { topic: 'orders' },
      traceparent: null,
      links: [],
      outcome: { rows: 19 },
      errorCode: null,
    });
  });

  it.each([
    [new FreshetError('DISK_FULL', 'row 7 of émilie'), 'DISK_FULL'],
    [new TypeError('émilie'), 'TypeError'],
    ['émilie', 'INTERNAL'],
  ])('of work that throws %s ends with no more than a code', async (thrown, code) => {
    subscribe();
    const work = inSpan(
      () => ({ name: 'commit', attributes: {} }),
      () => Promise.reject(thrown),
    );
    await expect(work).rejects.toBe(thrown);
    expect(told).toEqual(['begin commit', 'end commit']);
    expect(spans[0]?.errorCode).toBe(code);
    expect(JSON.stringify(spans)).not.toContain('émilie');
  });

  it('is known to a bound store for as long as its work runs', async () => {
    subscribe();
    const current = new AsyncLocalStorage<unknown>();
    spanChannels.run.bindStore(current);
    try {
      const span = beginSpan(() => ({ name: 'request', attributes: {} }));
      const seen = await runInSpan(span, async () => {
        await turn();
        return current.getStore();
      });
      expect(seen).toBe(span);
      expect(current.getStore()).toBeUndefined();
    } finally {
      spanChannels.run.unbindStore(current);
    }
  });
});

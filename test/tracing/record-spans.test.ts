import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TracingConfig } from '../../src/config/index.ts';
import { FreshetError } from '../../src/errors.ts';
import { channels, inSpan, type Span, spanChannels } from '../../src/telemetry/index.ts';
import { startTracing } from '../../src/tracing/index.ts';
import { Collector } from './collector.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';

let collector: Collector;
beforeEach(async () => {
  collector = await Collector.start();
});
afterEach(() => collector[Symbol.asyncDispose]());

/** What the collector has when the work is done and tracing is closed. */
async function traced(work: () => Promise<unknown>, some: Partial<TracingConfig> = {}) {
  const { endpoint } = collector;
  const config = { endpoint, serviceName: 'shop', sampleRatio: 1, headers: {}, ...some };
  const tracing = await startTracing(config);
  try {
    await work();
  } finally {
    await tracing.close();
  }
  return collector.spans;
}

const request = (traceparent: string | null, links: readonly string[] = []) =>
  inSpan(
    () => ({
      name: 'request',
      attributes: { 'http.request.method': 'GET', 'http.route': '/x' },
      traceparent,
      links,
    }),
    () => inSpan(() => ({ name: 'read', attributes: { views: ['live', 'past'] } }), turn),
  );

describe('spans of the channels', () => {
  it('are below the one in which they began, and roots otherwise', async () => {
    const seal = () =>
      inSpan(
        () => ({ name: 'seal', attributes: { topic: 'orders', partition: 3, none: null } }),
        turn,
        () => ({ rows: 19 }),
      );
    await traced(async () => {
      await Promise.all(
        [1, 2].map((n) =>
          inSpan(
            () => ({ name: 'batch', attributes: { n } }),
            async () => {
              await turn();
              await seal();
            },
          ),
        ),
      );
      await seal();
    });
    const batches = collector.named('freshet.batch');
    expect(batches).toHaveLength(2);
    for (const batch of batches) {
      expect(batch.parentSpanId).toBeUndefined();
      const [child, ...others] = collector.childrenOf(batch);
      expect(others).toEqual([]);
      expect(child?.attributes).toEqual({
        'freshet.topic': 'orders',
        'freshet.partition': 3,
        'freshet.rows': 19,
      });
    }
    expect(new Set(batches.map(({ traceId }) => traceId)).size).toBe(2);
    expect(
      collector.named('freshet.seal').filter((s) => s.parentSpanId === undefined),
    ).toHaveLength(1);
  });

  it('of a request have the name of its route, and the caller as their parent', async () => {
    await traced(() => request(`00-${TRACE}-${CALLER}-01`));
    const [served] = collector.named('GET /x');
    expect(served).toMatchObject({ traceId: TRACE, parentSpanId: CALLER, kind: 2 });
    expect(collector.childrenOf(served)).toMatchObject([
      { name: 'freshet.read', attributes: { 'freshet.views': ['live', 'past'] } },
    ]);
  });

  it.each(['', 'nonsense', `00-${'0'.repeat(32)}-${CALLER}-01`, `ff-${TRACE}-${CALLER}-01`])(
    'take %j for no caller',
    async (traceparent) => {
      await traced(() => request(traceparent, [traceparent]));
      const [served] = collector.named('GET /x');
      expect(served).toMatchObject({ parentSpanId: undefined, links: [] });
      expect(served?.traceId).not.toBe(TRACE);
    },
  );

  it('are linked with what caused them', async () => {
    await traced(() => request(null, [`00-${TRACE}-${CALLER}-01`]));
    expect(collector.named('GET /x')[0]?.links).toEqual([{ traceId: TRACE, spanId: CALLER }]);
  });

  it('say that their work failed, and nothing of the message', async () => {
    await traced(() =>
      inSpan(
        () => ({ name: 'commit', attributes: {} }),
        () => Promise.reject(new FreshetError('DISK_FULL', 'émilie')),
      ).catch(() => {}),
    );
    const [commit] = collector.spans;
    expect(commit).toMatchObject({ statusCode: 2, attributes: { 'error.type': 'DISK_FULL' } });
  });

  it('of a compaction are made when it is told, as long as it took', async () => {
    const counts = { filesBefore: 8, filesAfter: 1, rows: 800, bytes: 9_000 };
    await traced(async () =>
      channels.compacted.publish({ source: 'orders', ...counts, durationMs: 1_500 }),
    );
    const [run] = collector.named('freshet.compaction');
    expect(run!.endNs - run!.startNs).toBe(1_500_000_000n);
    expect(run?.attributes).toEqual({
      'freshet.source': 'orders',
      ...Object.fromEntries(Object.entries(counts).map(([name, n]) => [`freshet.${name}`, n])),
    });
  });

  it('are left out where the sample has none of them, but for what a caller wants', async () => {
    await traced(
      async () => {
        await request(null);
        await request(`00-${TRACE}-${CALLER}-00`);
        await request(`00-${TRACE}-${CALLER}-01`);
      },
      { sampleRatio: 0 },
    );
    expect(collector.spans.map(({ name, traceId }) => [name, traceId])).toEqual([
      ['freshet.read', TRACE],
      ['GET /x', TRACE],
    ]);
  });

  it('that began before anybody looked harm nothing', async () => {
    const early: Span = {
      ...{ name: 'batch', attributes: {}, traceparent: null, links: [] },
      ...{ outcome: {}, errorCode: null },
    };
    await traced(async () => {
      await spanChannels.run.runStores(early, () => request(null));
      spanChannels.end.publish(early);
    });
    expect(collector.spans.map(({ name }) => name)).toEqual(['freshet.read', 'GET /x']);
  });

  it('are told to nobody once tracing is closed', async () => {
    await traced(async () => {});
    expect(spanChannels.begin.hasSubscribers).toBe(false);
    expect(spanChannels.run.hasSubscribers).toBe(false);
    expect(channels.compacted.hasSubscribers).toBe(false);
  });
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { channels, inSpan, type TracingFailure } from '../../src/telemetry/index.ts';
import { startTracing } from '../../src/tracing/index.ts';
import { Collector } from './collector.ts';

const PLAIN = { serviceName: 'shop', sampleRatio: 1, headers: {} };
const work = () => inSpan(() => ({ name: 'read', attributes: {} }), turn);

/** Failures that are told until it is disposed. */
function failures() {
  const all: TracingFailure[] = [];
  const listen = (failure: unknown): void => void all.push(failure as TracingFailure);
  channels.tracingFailed.subscribe(listen);
  return { all, [Symbol.dispose]: () => void channels.tracingFailed.unsubscribe(listen) };
}

/** An address of this machine at which nothing listens. */
async function nowhere(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

describe('the delivery of spans', () => {
  it('is OTLP as JSON with the service, its version and the configured headers', async () => {
    await using collector = await Collector.start();
    const headers = { authorization: 'Bearer 123', 'x-tenant': 'a' };
    {
      const config = { ...PLAIN, endpoint: collector.endpoint, headers };
      await using _ = await startTracing(config, { version: '1.2.3' });
      await work();
    }
    expect(collector.headers[0]).toMatchObject({ ...headers, 'content-type': 'application/json' });
    expect(collector.paths).toEqual(['/v1/traces']);
    expect(collector.spans[0]?.resource).toEqual({
      'service.name': 'shop',
      'service.version': '1.2.3',
    });
  });

  it('to a collector that refuses is told once, without what is secret, and the work goes on', async () => {
    using told = failures();
    await using collector = await Collector.start();
    collector.status = 401;
    const { host } = new URL(collector.endpoint);
    const endpoint = `http://me:hidden@${host}/v1/traces?key=hidden`;
    const config = { ...PLAIN, endpoint, headers: { authorization: 'hidden' } };
    const tracing = await startTracing(config);
    for (let i = 0; i < 1_100; i++) await work(); // two full deliveries, and one at the end
    await tracing.close();
    expect(collector.headers.length).toBeGreaterThan(1);
    expect(told.all).toEqual([{ collector: `http://${host}`, reason: 'Unauthorized' }]);
    expect(JSON.stringify(told.all)).not.toContain('hidden');
  });

  it('that fails where nobody subscribes is a warning of the process', async () => {
    const endpoint = `${await nowhere()}/v1/traces`;
    const warned = once(process, 'warning');
    {
      await using tracing = await startTracing({ ...PLAIN, endpoint });
      expect(await work()).toBeUndefined();
      await tracing.close();
    }
    const [{ name, message }] = await warned;
    expect(name).toBe('FreshetWarning');
    expect(message).toMatch(
      /^traces are not delivered to http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/,
    );
  });

  it('ends in time where the collector never answers', async () => {
    using told = failures();
    const server = createServer(() => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const tracing = await startTracing({ ...PLAIN, endpoint: `http://127.0.0.1:${port}/` });
    await work();
    const beganMs = performance.now();
    await Promise.all([tracing.close(), tracing.close()]);
    expect(performance.now() - beganMs).toBeLessThan(4_000);
    expect(told.all).toMatchObject([{ collector: `http://127.0.0.1:${port}` }]);
    server.closeAllConnections();
    server.close();
  });
});

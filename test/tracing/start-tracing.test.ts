/** What a whole store, its engine and its server tell a collector. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initRepository } from '../../src/config/index.ts';
import { startTracing } from '../../src/tracing/index.ts';
import { spawnCli } from '../cli/support.ts';
import { produce, runEngine, useShop, writeHistory } from '../feature-store/support.ts';
import { ROOT } from '../rules/repository.ts';
import { useServer } from '../server/support.ts';
import { Collector } from './collector.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${CALLER}-01`;

const newShop = useShop();
const startServer = useServer();
let collector: Collector;
beforeEach(async () => {
  collector = await Collector.start();
});
afterEach(() => collector[Symbol.asyncDispose]());

async function traced(work: () => Promise<unknown>): Promise<void> {
  const { endpoint } = collector;
  await using _ = await startTracing({
    endpoint,
    serviceName: 'shop',
    sampleRatio: 1,
    headers: {},
  });
  await work();
}

describe('the traces', () => {
  it('of an engine have its batches with their commits, and the segments with their offsets', async () => {
    const store = await newShop().open();
    await store.apply();
    const log = await store.resources.log();
    const rows = Array.from({ length: 40 }, (_, n) => ({
      topic: 'orders',
      partition: 0,
      key: null,
      value: Buffer.from(n === 0 ? '{' : `{"user":"a","at":"2025-01-0${1 + (n % 5)}","amount":1}`),
      headers: [['traceparent', Buffer.from(n < 35 ? TRACEPARENT : 'nonsense')] as const],
    }));
    await log.append(rows);
    await traced(() => runEngine(store));
    const [batch, ...others] = collector.named('freshet.batch');
    expect(others).toEqual([]);
    const place = { 'freshet.topic': 'orders', 'freshet.partition': 0 };
    expect(batch?.attributes).toEqual({
      ...place,
      'freshet.records': 40,
      'freshet.startOffset': 0,
      'freshet.nextOffset': 40,
    });
    expect(batch?.links).toEqual([{ traceId: TRACE, spanId: CALLER }]);
    expect(collector.childrenOf(batch)).toMatchObject([
      {
        name: 'freshet.commit',
        attributes: {
          ...place,
          'freshet.applied': 40,
          'freshet.rejected': 1,
          'freshet.outbox': 1,
        },
      },
    ]);
    const [seal] = collector.named('freshet.seal');
    expect(seal?.attributes).toMatchObject({
      ...place,
      'freshet.startOffset': 0,
      'freshet.endOffset': 40,
      'freshet.rows': 39,
    });
    expect(seal?.resource).toMatchObject({ 'service.name': 'shop' });
  });

  it('of a request are below its caller, and the read below the request', async () => {
    const client = await startServer();
    await produce(client.store, [['a', '2025-01-03T00:00:00Z', 7]]);
    await runEngine(client.store);
    const body = { features: ['live:amount'], entities: { user: ['secret-user'] } };
    await traced(async () => {
      const headers = { traceparent: TRACEPARENT };
      expect((await client.post('/get-online-features?x=secret', body, headers)).status).toBe(200);
      expect((await client.get('/v1/nowhere')).status).toBe(404);
      client.store.status = () => Promise.reject(new Error('secret-detail'));
      expect((await client.get('/v1/status')).status).toBe(500);
    });
    const [served] = collector.named('POST /get-online-features');
    expect(served).toMatchObject({
      traceId: TRACE,
      parentSpanId: CALLER,
      kind: 2,
      statusCode: 0,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/get-online-features',
        'http.response.status_code': 200,
      },
    });
    expect(collector.childrenOf(served)).toMatchObject([
      {
        name: 'freshet.read',
        attributes: { 'freshet.views': ['live'], 'freshet.entityRows': 1, 'freshet.isAsOf': false },
      },
    ]);
    expect(collector.named('GET')[0]?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 404,
    });
    expect(collector.named('GET /v1/status')[0]).toMatchObject({
      statusCode: 2,
      attributes: { 'http.response.status_code': 500, 'error.type': '500' },
    });
    expect(
      JSON.stringify(collector.spans, (_, v) => (typeof v === 'bigint' ? 0 : v)),
    ).not.toContain('secret');
  });

  it('of joins, loads and compactions say what they did', async () => {
    const shop = newShop();
    await writeHistory(shop, [
      ['a', '2025-01-02T00:00:00Z', 1],
      ['b', '2025-01-03T00:00:00Z', 2],
    ]);
    const store = await shop.open();
    await store.apply();
    for (const n of [1, 2]) {
      await produce(store, [['a', `2025-01-0${n}T00:00:00Z`, n]]);
      await runEngine(store);
    }
    await traced(async () => {
      await store.materialize({ startTime: '2025-01-01', endTime: '2025-01-31' });
      await store.history.compact({ all: true });
      await using answer = await store.getHistoricalFeatures({
        features: ['live:amount'],
        entityRows: [{ user: 'a', event_timestamp: '2025-01-05T00:00:00Z' }],
      });
      await answer.toArray();
      await answer.toArray();
    });
    expect(collector.named('freshet.backfill.slice')).toMatchObject([
      { attributes: { 'freshet.view': 'past', 'freshet.rows': 2, 'freshet.rowsWritten': 2 } },
    ]);
    expect(collector.named('freshet.compaction')).toMatchObject([
      { attributes: { 'freshet.source': 'orders', 'freshet.filesBefore': 2 } },
    ]);
    expect(collector.named('freshet.join')).toMatchObject([
      { attributes: { 'freshet.views': ['live'], 'freshet.labels': 1 } },
    ]);
  });
});

describe('a command', { timeout: 60_000 }, () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-traces-'));
    await initRepository(join(folder, 'shop'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const command = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const result = await spawnCli(args, { repo: join(folder, 'shop'), env }).finished;
    expect(result.code, result.stderr).toBe(0);
    return result;
  };

  it('sends its traces where the variables of OpenTelemetry say, and ends when they are there', async () => {
    await command(['apply']);
    await command(['produce', 'orders', join(folder, 'shop', 'orders.ndjson')]);
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.address, OTEL_SERVICE_NAME: 'checkout' };
    await command(['run', '--until-caught-up'], env);
    expect(collector.named('freshet.batch').length).toBeGreaterThan(0);
    expect(collector.spans[0]?.resource['service.name']).toBe('checkout');
    expect(collector.paths[0]).toBe('/v1/traces');
  });

  it('loads nothing of OpenTelemetry unless it is to trace', async () => {
    await command(['apply']);
    const loaded = async (tracing: object | undefined): Promise<string[]> => {
      const program = `
        import { createRequire } from 'node:module';
        const { openFeatureStore } = await import('./src/index.ts');
        const { startTracing } = await import('./src/index.ts');
        const { createFeatureServer } = await import('./src/server/index.ts');
        const config = { project: 'shop', server: { port: 0 }, tracing: ${JSON.stringify(tracing)} };
        const directory = ${JSON.stringify(join(folder, 'shop'))};
        const store = await openFeatureStore({ directory, definitions: [], config });
        const traces = store.config.tracing && (await startTracing(store.config.tracing));
        const server = await createFeatureServer({ store });
        await fetch(server.url + '/health');
        await server.close();
        await store.close();
        await traces?.close();
        const files = Object.keys(createRequire(import.meta.url).cache);
        console.log(JSON.stringify(files.filter((file) => /@opentelemetry.(sdk|exporter|core)/.test(file))));
      `;
      const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
      const child = spawn(process.execPath, args, { cwd: ROOT });
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += chunk;
      });
      child.stderr.pipe(process.stderr);
      await once(child, 'close');
      return JSON.parse(text);
    };
    expect(await loaded(undefined)).toEqual([]);
    expect(await loaded({ endpoint: collector.endpoint })).not.toEqual([]);
    expect(collector.named('GET /health')).toHaveLength(1);
  });
});

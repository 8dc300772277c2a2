import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { channels } from '../../src/telemetry/index.ts';
import { ROOT } from '../rules/repository.ts';
import { fill, useServer } from './support.ts';

const start = useServer();

describe('GET /v1/overview', () => {
  it('tells the whole in figures', async () => {
    const client = await start();
    await fill(client);
    await client.post('/get-online-features', {
      features: ['live:amount'],
      entities: { user: ['a', 'b', 'c'] },
    });
    const { status, json } = await client.get('/v1/overview');
    expect(status).toBe(200);
    expect(json).toMatchObject({
      nowMs: client.shop.clock.nowMs(),
      health: { status: 'healthy', reasons: [] },
      engine: 'none',
      reads: { reads: 1, entityRows: 3 },
    });
    expect(json.onlineStoreBytes).toBeGreaterThan(0);
    expect(json.reads.durationMs).toBeGreaterThan(0);
    expect(json.sources).toEqual([
      {
        source: 'orders',
        topic: 'orders',
        partitions: 2,
        rows: 2,
        rejected: 0,
        late: 0,
        lagRecords: 0,
        unsealedRecords: 0,
        streamTimeUs: Date.parse('2025-01-04T00:00:00Z') * 1_000,
        idle: 0,
        suspended: 0,
        gapRecords: 0,
        segments: { files: expect.any(Number), rows: 2, bytes: expect.any(Number) },
      },
    ]);
  });

  it('says whether the engine of the process runs', async () => {
    const running = await start({}, { engine: { finished: new Promise(() => {}) } });
    expect((await running.get('/v1/overview')).json.engine).toBe('running');
    const finished = Promise.reject(new Error('it broke'));
    finished.catch(() => {});
    const broken = await start({}, { engine: { finished } });
    const { json } = await broken.get('/v1/overview');
    expect([json.engine, json.health]).toEqual([
      'stopped',
      { status: 'unhealthy', reasons: ['the engine stopped: INTERNAL'] },
    ]);
  });
});

describe('GET /metrics', () => {
  it('tells where partitions and segments stand, and how reads went', async () => {
    const client = await start();
    await fill(client);
    const read = { features: ['live:amount'], entities: { user: ['a', 'b', 'c'] } };
    await client.post('/get-online-features', read);
    const { status, text, headers } = await client.get('/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    const sums = sumsOf(text);
    expect(sums).toMatchObject({
      freshet_rows_total: 2,
      freshet_lag_records: 0,
      freshet_rejected_rows_total: 0,
      freshet_segment_rows: 2,
      freshet_read_duration_seconds_count: 1,
      freshet_read_entity_rows_total: 3,
      freshet_healthy: 1,
      freshet_status_known: 1,
    });
    expect(sums['freshet_segment_bytes']).toBeGreaterThan(0);
    expect(sums['freshet_online_store_bytes']).toBeGreaterThan(0);
    expect(text).toContain(
      'freshet_http_request_duration_seconds_count{method="POST",route="/get-online-features",status="200"} 1',
    );
  });

  it('counts what the engine tells, until the server is closed', async () => {
    const client = await start();
    const batch = { topic: 'orders', partition: 1, records: 5, nextOffset: 5, highWatermark: 5 };
    channels.batch.publish({ ...batch, durationMs: 20 });
    channels.commit.publish({ ...batch, durationMs: 3 });
    channels.dropped.publish({ source: 'orders', files: 1, rows: 7, beforeUs: 0 });
    channels.retry.publish({ ...batch, code: 'DISK_FULL', reason: 'full', waitMs: 1 });
    const { text } = await client.get('/metrics');
    expect(text).toContain('freshet_engine_records_total{topic="orders",partition="1"} 5');
    expect(text).toContain('freshet_engine_batch_duration_seconds_sum{topic="orders"} 0.02');
    expect(text).toContain('freshet_engine_commit_duration_seconds_sum{topic="orders"} 0.003');
    expect(text).toContain('freshet_engine_dropped_rows_total{source="orders"} 7');
    expect(text).toContain('freshet_engine_retries_total{code="DISK_FULL"} 1');
    await client.server.close();
    expect(channels.batch.hasSubscribers).toBe(false);
  });

  it('says so when the standing cannot be read, and is said only to those who may read', async () => {
    const client = await start();
    client.store.status = () => Promise.reject(new Error('gone'));
    const { status, text } = await client.get('/metrics');
    expect([status, sumsOf(text)['freshet_status_known']]).toEqual([200, 0]);
    const closed = await start({ anonymous: 'none', keys: [KEY] });
    expect((await closed.get('/metrics')).status).toBe(401);
  });

  it('has no name without a unit, and all that the dashboard shows', async () => {
    const client = await start();
    await fill(client);
    const { text } = await client.get('/metrics');
    const names = [...text.matchAll(/^# TYPE (freshet_\w+) /gm)].map(([, name]) => name as string);
    const units = /_(total|records|rows|bytes|seconds|offset|files|suspended|idle|healthy|known)$/;
    expect(names.filter((name) => !units.test(name))).toEqual([]);
    const dashboard = JSON.parse(await readFile(join(ROOT, 'docs/grafana.json'), 'utf8'));
    const asked = JSON.stringify(dashboard.panels).match(/freshet_\w+/g) ?? [];
    const known = asked.map((name) => name.replace(/_(bucket|count)$/, ''));
    expect(known.length).toBeGreaterThan(15);
    expect(known.filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe('GET /health', () => {
  it('is 200 while all is well, and open to all', async () => {
    const client = await start({ anonymous: 'none', keys: [KEY] });
    const { status, json } = await client.get('/health');
    expect([status, json]).toEqual([200, { status: 'healthy', reasons: [] }]);
  });

  it('is 503 when the engine has failed; why, only to those who may read', async () => {
    const finished = Promise.reject(new Error('broken'));
    finished.catch(() => undefined); // It is broken before a server is there to see it.
    const open = await start({}, { engine: { finished } });
    expect(await open.get('/health')).toMatchObject({
      status: 503,
      json: { status: 'unhealthy', reasons: ['the engine stopped: INTERNAL'] },
    });
    const closed = await start({ anonymous: 'none', keys: [KEY] }, { engine: { finished } });
    expect((await closed.get('/health')).json).toEqual({ status: 'unhealthy', reasons: [] });
  });
});

const KEY = {
  name: 'k',
  sha256: '0'.repeat(64),
  scopes: ['read'] as const,
  requestsPerMinuteMax: null,
};

/** Sums of all samples of a name. */
function sumsOf(text: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [, name, value] of text.matchAll(/^(\w+)(?:\{[^}]*\})? (\S+)$/gm)) {
    sums[name as string] = (sums[name as string] ?? 0) + Number(value);
  }
  return sums;
}

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFeatureServer } from '../../src/server/index.ts';
import { failure, useShop } from '../feature-store/support.ts';
import { fill, sha256, useServer, YEAR } from './support.ts';

const start = useServer();
const newShop = useShop();
const READ = { features: ['live:amount'], entities: { user: ['a'] } };

describe('a feature server', () => {
  it('tells errors as code, message, place and advice', async () => {
    const client = await start();
    const missing = await client.get('/get-online-feature');
    expect(missing.status).toBe(404);
    expect(missing.json).toEqual({
      code: 'ROUTE_NOT_FOUND',
      message: 'there is no GET /get-online-feature. Did you mean "/get-online-features"?',
      where: {},
      next: 'See /openapi.json for what can be asked for.',
    });
    const broken = await client.post('/get-online-features', '{"features":');
    expect([broken.status, broken.json.code]).toEqual([400, 'INVALID_ARGUMENT']);
    const poisoned = await client.post('/v1/push', '{"source":"orders","rows":[{"__proto__":{}}]}');
    expect([poisoned.status, poisoned.json.code]).toEqual([400, 'INVALID_ARGUMENT']);
  });

  it('bounds the body', async () => {
    const client = await start({ bodyBytesMax: 100 });
    const { status, json } = await client.post('/get-online-features', 'x'.repeat(101));
    expect([status, json.code]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });

  it('bounds the time, but for loads', async () => {
    const client = await start({ requestMsMax: 1 });
    const { store } = client;
    const slow = new Promise<never>((_, reject) => setTimeout(reject, 50, new Error('late')));
    slow.catch(() => {});
    store.status = () => slow;
    const { status, json } = await client.get('/v1/status');
    expect([status, json.code]).toEqual([503, 'REQUEST_TIMEOUT']);
    expect((await client.post('/materialize', YEAR)).json?.code).not.toBe('REQUEST_TIMEOUT');
  });

  it('limits the requests of each key by itself', async () => {
    const key = (name: string) => ({
      name,
      sha256: sha256(name),
      scopes: ['read'] as const,
      requestsPerMinuteMax: 2,
    });
    const client = await start({ keys: [key('a'), key('b')], anonymous: 'auto' });
    const statuses: number[] = [];
    for (const name of ['a', 'a', 'a', 'b']) {
      const headers = { authorization: `Bearer ${name}` };
      const answer = await client.post('/get-online-features', READ, headers);
      statuses.push(answer.status);
      if (answer.status !== 429) continue;
      expect(answer.json.code).toBe('RATE_LIMITED');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(statuses).toEqual([200, 200, 429, 200]);
    expect((await client.post('/get-online-features', READ)).status).toBe(401);
    const denied = await client.post('/push', {}, { authorization: 'Bearer b' });
    expect([denied.status, denied.json.code]).toEqual([403, 'ACCESS_DENIED']);
  });

  it('lets pages of other origins ask only where it is told to', async () => {
    const origin = 'https://ours.example';
    const closed = await start();
    const refused = await closed.get('/v1/status', { origin });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
      401,
      null,
    ]);
    const open = await start({ corsOrigins: [origin] });
    const { status, headers } = await open.get('/v1/status', { origin });
    expect([status, headers.get('access-control-allow-origin')]).toEqual([200, origin]);
  });

  it('logs requests without what is in them, and hides its own faults from clients', async () => {
    const logged: object[] = [];
    const note = (fields: object, message: string): void =>
      void logged.push({ message, ...fields });
    const client = await start({}, { log: { info: note, error: note } });
    await client.post('/get-online-features', {
      features: ['live:amount'],
      entities: { user: ['secret-user'] },
    });
    client.store.status = () => Promise.reject(new Error('secret-detail'));
    const { status, json } = await client.get('/v1/status?x=secret-query');
    expect([status, json.code, json.message]).toEqual([500, 'INTERNAL', 'the server failed']);
    await client.server.close();
    expect(logged).toMatchObject([
      { message: 'request', method: 'POST', route: '/get-online-features', status: 200, key: null },
      { message: 'request failed', route: '/v1/status', code: 'INTERNAL' },
      { message: 'request', method: 'GET', route: '/v1/status', status: 500 },
    ]);
    expect(JSON.stringify(logged)).not.toMatch(/secret-(user|query)/);
  });

  it('waits for requests when it closes, takes no more, and may be closed again', async () => {
    const client = await start();
    await fill(client);
    let answer = (): void => {};
    const asked = new Promise<void>((resolve) => {
      const { status } = client.store;
      client.store.status = async () => {
        resolve();
        await new Promise<void>((done) => {
          answer = done;
        });
        return status.call(client.store);
      };
    });
    const pending = client.get('/v1/status');
    await asked;
    const closing = client.server.close();
    answer();
    expect((await pending).status).toBe(200);
    await closing;
    await client.server.close();
    await expect(client.get('/v1/status')).rejects.toThrow();
  });
});

describe('a feature server that cannot start', () => {
  it('says that the port is taken, or that a file is not there', async () => {
    const store = await newShop().open();
    await using first = await createFeatureServer({ store, config: { port: 0 } });
    const port = Number(new URL(first.url).port);
    const taken = await failure(() => createFeatureServer({ store, config: { port } }));
    expect([taken.code, taken.message]).toEqual([
      'SERVER_FAILED',
      expect.stringContaining('EADDRINUSE'),
    ]);
    const tls = { certPath: 'nowhere.crt', keyPath: 'nowhere.key' };
    const unread = await failure(() => createFeatureServer({ store, config: { port: 0, tls } }));
    expect([unread.code, unread.where]).toEqual(['SERVER_FAILED', { key: 'server.tls' }]);
  });
});

describe('a feature server with a certificate', () => {
  it.skipIf(spawnSync('openssl', ['version']).status !== 0)('speaks TLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'freshet-tls-'));
    try {
      const [certPath, keyPath] = [join(folder, 'a.crt'), join(folder, 'a.key')];
      const args = `req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -out ${certPath} -keyout ${keyPath}`;
      execFileSync('openssl', args.split(' '), { stdio: 'ignore' });
      const { server } = await start({ tls: { certPath, keyPath } });
      expect(server.url).toMatch(/^https:/);
      const status = await new Promise((resolve, reject) => {
        const asked = request(`${server.url}/v1/status`, { rejectUnauthorized: false }, (answer) =>
          resolve(answer.resume().statusCode),
        );
        asked.on('error', reject).end();
      });
      expect(status).toBe(200);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

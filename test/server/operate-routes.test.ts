import { describe, expect, it } from 'vitest';
import { runEngine } from '../feature-store/support.ts';
import { fill, sha256, useServer, YEAR } from './support.ts';

const start = useServer();

describe('what an operator asks', () => {
  it('is where partitions stand', async () => {
    const client = await start();
    await fill(client);
    const { json } = await client.get('/v1/status');
    expect(json.nowMs).toBe(client.shop.clock.nowMs());
    const [orders] = json.sources;
    expect(orders).toMatchObject({ source: 'orders', segments: { rows: 2 } });
    expect(orders.partitions).toHaveLength(2);
  });

  it('is what is applied and made from what', async () => {
    const client = await start();
    const { json } = await client.get('/v1/catalogue');
    expect(json.project).toBe('shop');
    const names = json.definitions.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(['user', 'orders', 'live', 'doubled', 'model']));
    expect(json.lineage).toContainEqual({
      from: { kind: 'featureView', name: 'live' },
      to: { kind: 'topicSource', name: 'orders' },
    });
  });

  it('is what is stored of a view', async () => {
    const client = await start();
    await fill(client);
    const cost = await client.get('/v1/views/past/cost');
    expect(cost.json).toMatchObject({ entities: 1, reads: [] });
    const values = await client.get('/v1/views/live/values?limit=1');
    expect(values.json.rows).toHaveLength(1);
    const all = await client.get('/v1/views/live/values');
    expect(all.json.rows).toEqual(
      expect.arrayContaining([
        { user: 'a', amount: 7 },
        { user: 'b', amount: null },
      ]),
    );
    const loaded = await client.get('/v1/views/past/materializations');
    expect(loaded.json).toEqual([
      { startUs: Date.parse('2025-01-01') * 1_000, endUs: Date.parse('2025-12-31') * 1_000 },
    ]);
    const segments = await client.get('/v1/sources/orders/segments');
    expect(segments.json.length).toBeGreaterThan(0);
    for (const path of ['/v1/views/x/values', '/v1/views/x/cost', '/v1/sources/x/segments']) {
      expect((await client.get(path)).status, path).toBe(404);
    }
    expect((await client.get('/v1/views/live/values?limit=0')).status).toBe(400);
  });

  it('is how the values of an entity were over time', async () => {
    const client = await start();
    await fill(client);
    const path = '/v1/views/live/history';
    const { status, json } = await client.post(path, { entity: { user: 'a' } });
    const atUs = Date.parse('2025-01-03T00:00:00Z') * 1_000 + 1;
    expect([status, json]).toEqual([
      200,
      { rows: 1, firstUs: atUs, lastUs: atUs, timesUs: [atUs], values: { amount: [7] } },
    ]);
    const later = { entity: { user: 'a' }, startTime: '2025-01-04' };
    expect((await client.post(path, later)).json).toMatchObject({ rows: 1, timesUs: [] });
    const codes: string[] = [];
    for (const body of [{ entity: {} }, { entity: { user: true } }, {}]) {
      const refused = await client.post(path, body);
      expect(refused.status).toBe(400);
      codes.push(refused.json.code);
    }
    expect(codes).toEqual(['JOIN_KEY_MISSING', 'VALUE_TYPE', 'INVALID_ARGUMENT']);
    const unknown = await client.post('/v1/views/x/history', { entity: { user: 'a' } });
    expect([unknown.status, unknown.json.code]).toEqual([404, 'FEATURE_VIEW_NOT_FOUND']);
  });

  it('is what one may do here', async () => {
    const open = await start({ anonymous: 'read' });
    expect((await open.get('/v1/access')).json).toEqual({ key: null, read: true, write: false });
    const scopes = ['read', 'write'] as const;
    const keys = [{ name: 'ours', sha256: sha256('k'), scopes, requestsPerMinuteMax: null }];
    const closed = await start({ anonymous: 'none', keys });
    expect((await closed.get('/v1/access')).json).toEqual({ key: null, read: false, write: false });
    const known = await closed.get('/v1/access', { authorization: 'Bearer k' });
    expect(known.json).toEqual({ key: 'ours', read: true, write: true });
    expect((await closed.get('/v1/access', { authorization: 'Bearer x' })).status).toBe(401);
  });

  it('is what was rejected, and that it be sent again', async () => {
    const client = await start();
    const log = await client.store.resources.log();
    const record = { topic: 'orders', partition: 0, key: null, timestampMs: 0, headers: [] };
    await log.append([
      { ...record, value: Buffer.from('{') },
      { ...record, value: Buffer.from([0xff, 0xfe]) },
    ]);
    await runEngine(client.store);
    const { json } = await client.get('/v1/dead-letters');
    expect(json.total).toBe(2);
    expect(json.letters.map(({ id, value }: { id: number; value: string }) => [id, value])).toEqual(
      [
        [1, 'base64://4='],
        [0, '{'],
      ],
    );
    const [letter] = json.letters;
    expect(letter).toMatchObject({ topic: 'orders', code: 'ROW_UNDECODABLE', offset: 1 });
    expect((await client.get('/v1/dead-letters?limit=1')).json).toMatchObject({
      total: 2,
      letters: [{ id: 1 }],
    });
    expect((await client.get('/v1/dead-letters?code=ROW_TYPE')).json.total).toBe(0);
    const retried = await client.post('/v1/dead-letters/retry', { id: 1 });
    expect(retried.json).toEqual({ sent: 1, truncated: 0 });
    await runEngine(client.store);
    expect((await client.get('/v1/dead-letters')).json.total).toBe(3);
  });

  it('is whether serving and training agree', async () => {
    const client = await start();
    await fill(client);
    const { status, json } = await client.post('/v1/verify', { views: ['live'] });
    expect(status).toBe(200);
    expect(json).toMatchObject({ same: true, views: [{ view: 'live', entities: 2 }] });
    const push = { source: 'history', rows: [{ user: 'z', at: '2025-01-09', amount: 9 }] };
    expect((await client.post('/v1/push', push)).json).toEqual({ rows: 1 });
    const differs = await client.post('/v1/verify', { views: ['past'] });
    expect(differs.json.same).toBe(false);
    expect(differs.json.views[0].differences).toContainEqual(
      expect.objectContaining({
        kind: 'extra',
        entity: { user: 'z' },
        online: 9,
        recomputed: null,
      }),
    );
  });

  it('is done one after another where it takes the whole machine', async () => {
    const client = await start();
    await fill(client);
    const answers = await Promise.all([
      client.post('/materialize', YEAR),
      client.post('/v1/verify', { views: ['x'] }),
      client.post('/materialize', YEAR),
      client.post('/v1/verify', {}),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 200, 200]);
  });
});

import { describe, expect, it } from 'vitest';
import { entity, featureView, parquetSource } from '../../src/definition/index.ts';
import { amounts, runEngine, useShop, writeHistory } from '../feature-store/support.ts';
import { fill, useServer, YEAR } from './support.ts';

const start = useServer();
const newShop = useShop();
const EPOCH = '1970-01-01T00:00:00Z';

describe('POST /get-online-features', () => {
  it("answers Feast's documented request by columns, keys first", async () => {
    const client = await start();
    await fill(client);
    const { status, json } = await client.post('/get-online-features', {
      features: ['live:amount', 'past:amount'],
      entities: { user: ['a', 'b', 'c'] },
      full_feature_names: true,
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      metadata: { feature_names: ['user', 'live__amount', 'past__amount'] },
      results: [
        {
          values: ['a', 'b', 'c'],
          statuses: ['PRESENT', 'PRESENT', 'PRESENT'],
          event_timestamps: [EPOCH, EPOCH, EPOCH],
        },
        {
          values: [7, null, null],
          statuses: ['PRESENT', 'NULL_VALUE', 'NOT_FOUND'],
          event_timestamps: ['2025-01-03T00:00:00.000001Z', '2025-01-04T00:00:00Z', EPOCH],
        },
        {
          values: [1, null, null],
          statuses: ['PRESENT', 'NOT_FOUND', 'NOT_FOUND'],
          event_timestamps: ['2025-01-02T00:00:00Z', EPOCH, EPOCH],
        },
      ],
    });
  });

  it('takes JSON without a content type or as a form, as Feast and curl send it', async () => {
    const client = await start();
    await fill(client);
    const body = JSON.stringify({ features: ['live:amount'], entities: { user: ['a'] } });
    const bare = await client.post('/get-online-features', body);
    expect(bare.json.results[1].values).toEqual([7]);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const curl = await client.post('/get-online-features', body, form);
    expect(curl.json).toEqual(bare.json);
  });

  it('reads a feature service, on-demand features with it', async () => {
    const client = await start();
    await fill(client);
    const { json } = await client.post('/get-online-features', {
      feature_service: 'model',
      entities: { user: ['a'] },
    });
    expect(json.metadata.feature_names).toEqual(['user', 'amount', 'double']);
    expect(json.results.map(({ values }: { values: unknown[] }) => values[0])).toEqual(['a', 7, 2]);
  });

  it('gives a timestamp as its seconds', async () => {
    const shop = newShop();
    const seen = featureView({
      name: 'seen',
      entities: [entity({ name: 'user', joinKeys: { user: 'string' } })],
      source: parquetSource({
        name: 'visits',
        path: 'history/*.parquet',
        schema: { user: 'string', at: 'timestamp' },
        timestampField: 'at',
      }),
      schema: { at: 'timestamp' },
    });
    await writeHistory(shop, [['a', '2025-01-02T00:00:00.5Z', 1]]);
    const store = await shop.open({ definitions: [seen] });
    const client = await start({}, { store });
    expect((await client.post('/materialize', YEAR)).text).toBe('null');
    const { json } = await client.post('/get-online-features', {
      features: ['seen:at'],
      entities: { user: ['a'] },
    });
    expect(json.results[1].values).toEqual([Date.parse('2025-01-02T00:00:00.5Z') / 1_000]);
  });

  it('says what is wrong with a request', async () => {
    const client = await start({ batchRowsMax: 2 });
    const post = async (body: object): Promise<unknown[]> => {
      const { status, json } = await client.post('/get-online-features', body);
      return [status, json.code];
    };
    const features = ['live:amount'];
    expect(await post({ features })).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await post({ features, entities: { customer: [1] } })).toEqual([
      400,
      'JOIN_KEY_MISSING',
    ]);
    expect(await post({ features, entities: { user: [1], x: [1, 2] } })).toEqual([
      400,
      'INVALID_ARGUMENT',
    ]);
    expect(await post({ features: ['live:amuont'], entities: { user: [1] } })).toEqual([
      404,
      'FEATURE_NOT_FOUND',
    ]);
    expect(await post({ feature_service: 'x', entities: { user: [1] } })).toEqual([
      404,
      'FEATURE_SERVICE_NOT_FOUND',
    ]);
    expect(await post({ features, entities: { user: [1, 2, 3] } })).toEqual([
      413,
      'REQUEST_TOO_LARGE',
    ]);
  });
});

describe('POST /push', () => {
  const df = { user: ['a', 'b'], at: ['2025-01-05T00:00:00Z', '2025-01-06'], amount: [3, null] };

  it('sends rows to a topic, from where both stores get them', async () => {
    const client = await start();
    const body = { push_source_name: 'orders', df, to: 'online_and_offline' };
    const { status, text } = await client.post('/push', body);
    expect([status, text]).toEqual([200, 'null']);
    await runEngine(client.store);
    expect(await amounts(client.store, ['a', 'b'], 'live')).toEqual([3, null]);
  });

  it('puts rows of batch history into the online store', async () => {
    const client = await start();
    const { status } = await client.post('/push', { push_source_name: 'history', df });
    expect(status).toBe(200);
    expect(await amounts(client.store, ['a', 'b'])).toEqual([3, null]);
  });

  it('refuses a store that a source does not fill, an unknown source, and all rows with a bad one', async () => {
    const client = await start();
    const offline = await client.post('/push', { push_source_name: 'orders', df, to: 'offline' });
    expect([offline.status, offline.json.next]).toEqual([400, 'Send "to": "online_and_offline".']);
    const unknown = await client.post('/push', { push_source_name: 'x', df });
    expect([unknown.status, unknown.json.code]).toEqual([404, 'PUSH_SOURCE_NOT_FOUND']);
    const bad = { ...df, amount: [1, 'many'] };
    const refused = await client.post('/push', { push_source_name: 'orders', df: bad });
    expect(refused.status).toBe(400);
    await runEngine(client.store);
    expect(await amounts(client.store, ['a', 'b'], 'live')).toEqual([undefined, undefined]);
  });
});

describe('POST /write-to-online-store', () => {
  it("takes the names that Feast's client gives to times", async () => {
    const client = await start();
    const df = {
      user: ['a'],
      amount: [4],
      event_timestamp: ['2025-01-05T00:00:00'],
      created: [null],
    };
    const body = { feature_view_name: 'past', df, allow_registry_cache: false };
    const { status, text } = await client.post('/write-to-online-store', body);
    expect([status, text]).toEqual([200, 'null']);
    expect(await amounts(client.store, ['a'])).toEqual([4]);
  });
});

describe('POST /materialize and /materialize-incremental', () => {
  it('load batch history of the views that are named, or of all', async () => {
    const client = await start();
    await writeHistory(client.shop, [
      ['a', '2025-01-02T00:00:00Z', 1],
      ['a', '2025-01-10T00:00:00Z', 2],
    ]);
    const range = { start_ts: '2025-01-01T00:00:00', end_ts: '2025-01-05T00:00:00' };
    const done = await client.post('/materialize', { ...range, feature_views: ['past'] });
    expect([done.status, done.text]).toEqual([200, 'null']);
    expect(await amounts(client.store, ['a'])).toEqual([1]);
    const { end_ts } = YEAR;
    expect((await client.post('/materialize-incremental', { end_ts })).status).toBe(200);
    expect(await amounts(client.store, ['a'])).toEqual([2]);
  });

  it('say which view is not there', async () => {
    const client = await start();
    const { status, json } = await client.post('/materialize', { ...YEAR, feature_views: ['x'] });
    expect([status, json.code]).toEqual([404, 'FEATURE_VIEW_NOT_FOUND']);
  });
});

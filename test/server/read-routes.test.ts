import { describe, expect, it } from 'vitest';
import { fill, useServer } from './support.ts';

const start = useServer();
const NDJSON = { 'content-type': 'application/x-ndjson' };

function lines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('POST /v1/online-features', () => {
  it('answers rows, at a time, with receipts', async () => {
    const client = await start();
    await fill(client);
    const { status, json } = await client.post('/v1/online-features', {
      features: ['live:amount'],
      entityRows: [{ user: 'a' }, { user: 'c' }],
      includeReceipt: true,
    });
    expect(status).toBe(200);
    expect(json.rows).toEqual([
      { user: 'a', amount: 7 },
      { user: 'c', amount: null },
    ]);
    expect(json.statuses).toEqual([{ amount: 'PRESENT' }, { amount: 'NOT_FOUND' }]);
    expect(json.eventTimestamps[0]).toEqual({ amount: '2025-01-03T00:00:00.000001Z' });
    expect(json.receipts.live[0]).toMatchObject({ view: 'live', topic: 'orders' });
    const before = await client.post('/v1/online-features', {
      features: ['live:amount'],
      entityRows: [{ user: 'a' }],
      asOf: '2025-01-02T00:00:00Z',
    });
    expect(before.json.statuses).toEqual([{ amount: 'NOT_FOUND' }]);
  });

  it('reads a service by its path', async () => {
    const client = await start();
    await fill(client);
    const { json } = await client.post('/v1/services/model/online-features', {
      entityRows: [{ user: 'a' }],
      fullFeatureNames: true,
    });
    expect(json.rows).toEqual([{ user: 'a', live__amount: 7, doubled__double: 2 }]);
  });

  it('wants features or a service, knows its own words, and names the nearest', async () => {
    const client = await start();
    const both = await client.post('/v1/online-features', { entityRows: [] });
    expect([both.status, both.json.message]).toEqual([400, 'give either features or service']);
    const misspelt = await client.post('/v1/online-features', {
      features: ['live:amount'],
      entityRow: [],
      entityRows: [],
    });
    expect(misspelt.json.message).toBe(
      'the body: "entityRow" is not known. Did you mean "entityRows"?',
    );
    const wrong = await client.post('/v1/online-features', { features: ['live:amount'] });
    expect(wrong.json).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'the body: "entityRows" is missing',
      where: { key: 'entityRows' },
    });
  });
});

describe('POST /v1/online-features/stream', () => {
  it('answers a line for each line, in their order, however many', async () => {
    const client = await start({ batchRowsMax: 100 });
    await fill(client);
    const users = Array.from({ length: 1_501 }, (_, i) => ({ user: i % 2 === 0 ? 'a' : `x${i}` }));
    const body = users.map((row) => JSON.stringify(row)).join('\n');
    const path =
      '/v1/online-features/stream?features=live:amount,past:amount&fullFeatureNames=true';
    const { status, text, headers } = await client.post(path, body, NDJSON);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/x-ndjson');
    const answers = lines(text);
    expect(answers).toHaveLength(users.length);
    expect(answers[1_500]).toEqual({
      row: { user: 'a', live__amount: 7, past__amount: 1 },
      statuses: { live__amount: 'PRESENT', past__amount: 'PRESENT' },
    });
    expect(answers[1_499]).toMatchObject({ row: { user: 'x1499', live__amount: null } });
  });

  it('ends with the error of the first bad line, behind the answers before it', async () => {
    const client = await start();
    await fill(client);
    const path = '/v1/online-features/stream?features=live:amount';
    const { text } = await client.post(path, '{"user":"a"}\n\n{"user":\n', NDJSON);
    const answers = lines(text);
    expect(answers.at(-1)).toMatchObject({
      error: { code: 'INVALID_ARGUMENT', message: 'line 2 is not JSON', where: { line: 2 } },
    });
  });

  it('bounds a line, and says at once what is wrong with the request itself', async () => {
    const client = await start({ bodyBytesMax: 100 });
    const path = '/v1/online-features/stream?features=live:amount';
    const long = await client.post(path, 'x'.repeat(101), NDJSON);
    expect(lines(long.text)).toMatchObject([{ error: { code: 'REQUEST_TOO_LARGE' } }]);
    const unknown = '/v1/online-features/stream?service=x';
    expect((await client.post(unknown, '{"user":"a"}\n', NDJSON)).status).toBe(404);
    const json = await client.post(path, [{ user: 'a' }]);
    expect([json.status, json.json.code]).toEqual([400, 'INVALID_ARGUMENT']);
  });
});

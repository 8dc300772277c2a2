import { describe, expect, it } from 'vitest';
import { useServer } from './support.ts';

const start = useServer();
const FILES = [
  { name: 'index.html', contents: Buffer.from('<!doctype html>') },
  { name: 'app.js', contents: Buffer.from('1') },
];

describe('the pages of the console', () => {
  it('are at /ui/, and / leads there', async () => {
    const client = await start({}, { console: FILES });
    for (const path of ['/', '/ui', '/ui/']) {
      const { status, text, headers } = await client.get(path);
      expect([status, text], path).toEqual([200, '<!doctype html>']);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    }
    const script = await client.get('/ui/app.js');
    expect([script.text, script.headers.get('content-type')]).toEqual([
      '1',
      'text/javascript; charset=utf-8',
    ]);
    expect((await client.get('/ui/other.js')).status).toBe(404);
  });

  it('may load nothing from elsewhere, run nothing inline, and be in no frame', async () => {
    const client = await start({}, { console: FILES });
    const policy = (await client.get('/ui/')).headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  });

  it('are sent once, and then only if they have changed', async () => {
    const client = await start({}, { console: FILES });
    const etag = (await client.get('/ui/')).headers.get('etag') as string;
    const again = await client.get('/ui/', { 'if-none-match': etag });
    expect([again.status, again.text]).toEqual([304, '']);
  });

  it('open without a key, which what they show needs', async () => {
    const keys = [
      { name: 'k', sha256: '0'.repeat(64), scopes: ['read'] as const, requestsPerMinuteMax: null },
    ];
    const client = await start({ anonymous: 'none', keys }, { console: FILES });
    expect((await client.get('/ui/')).status).toBe(200);
    expect((await client.get('/v1/status')).status).toBe(401);
  });

  it('are not there unless they are asked for', async () => {
    expect((await (await start()).get('/ui/')).status).toBe(404);
  });
});

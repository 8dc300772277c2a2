import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { ConsoleFile } from '../console/index.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Nothing from elsewhere, nothing inline, in no frame of another page. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-cache',
};

/**
 * Serves the web console at `/ui/`. Its files are open to all who reach the server, since nothing of
 * the store is in them: what a page shows it asks for, as any client.
 */
export function addConsolePages(app: FastifyInstance, files: readonly ConsoleFile[]): void {
  for (const path of ['/', '/ui']) app.get(path, (_, reply) => reply.redirect('/ui/'));
  for (const { name, contents } of files) {
    const body = Buffer.from(contents);
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
    app.get(`/ui/${name === 'index.html' ? '' : name}`, (request, reply) => {
      reply.headers({ ...HEADERS, etag });
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply.type(TYPES[extname(name)] as string).send(body);
    });
  }
}

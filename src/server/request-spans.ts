import type { FastifyInstance } from 'fastify';
import { beginSpan, endSpan, type Span } from '../telemetry/index.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null when nobody traces. */
    span: Span | null;
  }
}

/**
 * A span for each request, from its head to the end of its answer, below the caller's `traceparent`.
 * It names the route, never the path or the query: they may hold entity keys.
 */
export function addRequestSpans(app: FastifyInstance): void {
  app.decorateRequest('span', null);
  app.addHook('onRequest', async (request) => {
    const { method, headers, routeOptions } = request;
    const { traceparent } = headers;
    request.span = beginSpan(() => ({
      name: 'request',
      attributes: { 'http.request.method': method, 'http.route': routeOptions.url ?? null },
      traceparent: typeof traceparent === 'string' ? traceparent : null,
    }));
  });
  app.addHook('onResponse', async ({ span }, { statusCode }) => {
    const outcome = { 'http.response.status_code': statusCode };
    endSpan(span, outcome, statusCode >= 500 ? String(statusCode) : null);
  });
}

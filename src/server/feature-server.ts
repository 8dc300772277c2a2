/** The feature server: a feature store over HTTP, for Feast's clients and for its own. */
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ServerConfig } from '../config/index.ts';
import type { ConsoleFile } from '../console/index.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { didYouMean } from '../core/nearest.ts';
import { createQueue } from '../core/queue.ts';
import { FreshetError } from '../errors.ts';
import type { FeatureStore } from '../feature-store/index.ts';
import { runInSpan } from '../telemetry/index.ts';
import { Access, type Caller } from './access.ts';
import { addConsolePages } from './console-pages.ts';
import { feastRoutes } from './feast-routes.ts';
import { HealthCheck, type WatchedEngine } from './health-check.ts';
import { toHttpError } from './http-error.ts';
import { Metrics } from './metrics.ts';
import { openApiDocument } from './openapi.ts';
import { operateRoutes } from './operate-routes.ts';
import { readRoutes } from './read-routes.ts';
import { addRequestSpans } from './request-spans.ts';
import type { Route, Scope } from './route.ts';
import { type ServerPorts, timedRead } from './server-ports.ts';
import { watchRoutes } from './watch-routes.ts';

export interface FeatureServerOptions {
  /** Stays the caller's: the server does not close it. */
  readonly store: FeatureStore;
  /** Values that win over those of `freshet.yaml`. */
  readonly config?: Partial<ServerConfig>;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Version of the OpenAPI document. Default `0.0.0`. */
  readonly version?: string;
  /** The engine of this process, whose health is told. Default: there is none. */
  readonly engine?: WatchedEngine;
  /** Told of every request, never of what is in it. Default: nobody is. */
  readonly log?: ServerLog;
  /** Files of the web console, which is then at `/ui/`. Default: there is none. */
  readonly console?: readonly ConsoleFile[];
}

/** Pino's loggers are such logs. */
export interface ServerLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface FeatureServer extends AsyncDisposable {
  /** Where it listens, with the port that it got. */
  readonly url: string;
  /** Takes no more requests and waits for those that are being answered. Idempotent. */
  close(): Promise<void>;
}

const MINUTE_MS = 60_000;

/**
 * Starts to serve a feature store.
 * @throws FreshetError SERVER_FAILED; CONFIG_INVALID for a server that would be open to a network
 */
export async function createFeatureServer(options: FeatureServerOptions): Promise<FeatureServer> {
  const { store, clock = systemClock } = options;
  const config: ServerConfig = { ...store.config.server, ...options.config };
  const access = new Access(config);
  const metrics = new Metrics(clock);
  const health = new HealthCheck(clock, options.engine ?? null);
  const ports: ServerPorts = {
    ...{ store, config, clock, access },
    read: timedRead(store, metrics),
    oneAtATime: createQueue(),
  };
  const routes = [
    ...feastRoutes(ports),
    ...readRoutes(ports),
    ...operateRoutes(ports),
    ...watchRoutes(ports, health, metrics),
  ];
  const document = openApiDocument(routes, options.version ?? '0.0.0');

  const app = fastify({
    bodyLimit: config.bodyBytesMax,
    exposeHeadRoutes: false,
    // Requests are waited for; connections that wait for the next one are not.
    forceCloseConnections: 'idle',
    ...(await tlsOptions(config)),
  } as object) as FastifyInstance;
  addRequestSpans(app); // first: refused requests have spans, too
  await addRules(app, config, access, options.log);
  endConnectionsOnClose(app);
  app.addHook('onResponse', async ({ method, routeOptions: { url } }, reply) => {
    const { statusCode, elapsedTime } = reply;
    metrics.countRequest(method, url ?? 'none', statusCode, elapsedTime);
  });
  app.addHook('onClose', async () => metrics.close());
  for (const route of routes) addRoute(app, route, config);
  if (options.console !== undefined) addConsolePages(app, options.console);
  app.get('/openapi.json', (_, reply) => sendJson(reply, document));
  app.setNotFoundHandler(({ method, url }) => {
    const path = url.split('?')[0] ?? '';
    throw new FreshetError('ROUTE_NOT_FOUND', `there is no ${method} ${path}. ${nearest(path)}`);
  });
  const nearest = (path: string): string =>
    didYouMean(path, [...routes.map((route) => route.path), '/openapi.json']);

  await listen(app, config);
  const { port } = app.server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const close = (): Promise<void> => app.close();
  return {
    url: `${config.tls === null ? 'http' : 'https'}://${host}:${port}`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly scope?: Scope;
  }
  interface FastifyRequest {
    caller: Caller;
  }
}

/** Who may ask, how often, how bodies are read, how errors are told, what is logged. */
async function addRules(
  app: FastifyInstance,
  config: ServerConfig,
  access: Access,
  log: ServerLog | undefined,
): Promise<void> {
  const { corsOrigins } = config;
  if (corsOrigins.length > 0) await app.register(cors, { origin: [...corsOrigins] });
  app.decorateRequest('caller', null as unknown as Caller);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    request.caller = access.check(request.headers, request.routeOptions.config?.scope ?? 'none');
  });
  await app.register(rateLimit, {
    timeWindow: MINUTE_MS,
    keyGenerator: ({ caller, ip }) => (caller.key === null ? `ip ${ip}` : `key ${caller.key}`),
    allowList: ({ caller }) => caller.requestsPerMinuteMax === null,
    max: ({ caller }) => caller.requestsPerMinuteMax ?? Number.POSITIVE_INFINITY,
    errorResponseBuilder: (_, { max }) =>
      new FreshetError('RATE_LIMITED', `more than ${max} requests came within a minute`),
  });
  addParsers(app);
  app.setErrorHandler((thrown, request, reply) => {
    const { status, body } = toHttpError(thrown);
    if (status >= 500) log?.error({ ...factsOf(request), ...faultOf(thrown) }, 'request failed');
    reply.code(status);
    return sendJson(reply, body);
  });
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status, elapsedTime } = reply;
    log?.info({ ...factsOf(request), status, durationMs: Math.round(elapsedTime) }, 'request');
  });
}

/** A connection that is kept after the last answer would keep the server, too. */
function endConnectionsOnClose(app: FastifyInstance): void {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onSend', async (_, reply) => {
    if (isClosing) reply.header('connection', 'close');
  });
}

/** Feast's clients, and `curl -d`, send JSON under other names, or under none. */
function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/x-ndjson', (_, payload, done) => done(null, payload));
  app.addContentTypeParser('*', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
}

function addRoute(app: FastifyInstance, route: Route, { requestMsMax }: ServerConfig): void {
  const { method, path, scope, isLong = false, produces } = route;
  app.route({
    method,
    url: path,
    config: { scope },
    ...(!isLong && { handlerTimeout: requestMsMax }),
    handler: async (request, reply) => {
      const answer = await runInSpan(request.span, () => route.answer(request, reply));
      return produces === undefined ? sendJson(reply, answer) : reply.type(produces).send(answer);
    },
  });
}

function sendJson(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(value));
}

/** Never a path or a query: they may hold entity keys. */
function factsOf({ method, routeOptions, caller }: FastifyRequest): object {
  return { method, route: routeOptions.url ?? null, key: caller?.key ?? null };
}

function faultOf(thrown: unknown): object {
  if (thrown instanceof FreshetError) return { code: thrown.code, where: thrown.where };
  return { code: 'INTERNAL', stack: thrown instanceof Error ? thrown.stack : String(thrown) };
}

async function tlsOptions({ tls }: ServerConfig): Promise<object> {
  if (tls === null) return {};
  try {
    const [cert, key] = await Promise.all([readFile(tls.certPath), readFile(tls.keyPath)]);
    return { https: { cert, key } };
  } catch (cause) {
    throw new FreshetError('SERVER_FAILED', 'the certificate or its key cannot be read', {
      where: { key: 'server.tls' },
      cause,
    });
  }
}

async function listen(app: FastifyInstance, { host, port }: ServerConfig): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new FreshetError('SERVER_FAILED', `the server cannot listen: ${what}`, { cause });
  }
}

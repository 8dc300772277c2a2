import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FreshetError } from '../../src/errors.ts';
import type { EmbeddedSchemaRegistry } from './embedded-schema-registry.ts';
import { answerRequest, RegistryFault } from './registry-routes.ts';

export interface SchemaRegistryServer extends AsyncDisposable {
  readonly url: string;
  /** Stops serving; the registry stays open. */
  close(): Promise<void>;
}

export interface SchemaRegistryServerOptions {
  readonly registry: EmbeddedSchemaRegistry;
  /** Default 127.0.0.1: there is no authentication. */
  readonly host?: string;
  /** Default 0, a free one. */
  readonly port?: number;
}

const BODY_BYTES_MAX = 1024 * 1024;
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';

/** Serves the embedded registry over Confluent's HTTP interface, for clients in any language. */
export async function serveSchemaRegistry(
  options: SchemaRegistryServerOptions,
): Promise<SchemaRegistryServer> {
  const { registry, host = '127.0.0.1', port = 0 } = options;
  const server = createServer((request, response) => {
    handle(registry, request).then(
      (body) => send(response, 200, body),
      (thrown: unknown) => sendFault(response, thrown),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://${host}:${address.port}`, close, [Symbol.asyncDispose]: close };
}

async function handle(
  registry: EmbeddedSchemaRegistry,
  request: IncomingMessage,
): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://registry');
  const path = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  const body = parseBody(await readBody(request));
  const method = request.method ?? 'GET';
  return answerRequest(registry, { method, path, query: url.searchParams, body });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RegistryFault(400, 400, `"${part}" is not an encoded path`);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX)
      throw new RegistryFault(413, 413, `more than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parseBody(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {};
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
  }
  throw new RegistryFault(400, 400, 'the body is not a JSON object');
}

function sendFault(response: ServerResponse, thrown: unknown): void {
  if (thrown instanceof RegistryFault) {
    send(response, thrown.status, { error_code: thrown.code, message: thrown.message });
    return;
  }
  const message = thrown instanceof FreshetError ? thrown.message : String(thrown);
  send(response, 500, { error_code: 50001, message });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': CONTENT_TYPE }).end(JSON.stringify(body));
}

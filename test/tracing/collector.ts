/** A collector on this machine: an HTTP server that reads OTLP as JSON. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** 1 internal, 2 server. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** 2 error. */
  readonly statusCode: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly resource: Readonly<Record<string, unknown>>;
}

export class Collector implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  readonly paths: (string | undefined)[] = [];
  /** What it answers with. */
  status = 200;
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    this.headers.push(request.headers);
    this.paths.push(request.url);
    if (this.status === 200) this.spans.push(...spansOf(Buffer.concat(chunks).toString()));
    response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}');
  });

  static async start(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get endpoint(): string {
    return `${this.address}/v1/traces`;
  }

  named(name: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  childrenOf(parent: ReceivedSpan | undefined): ReceivedSpan[] {
    return this.spans.filter(
      (span) => span.parentSpanId === parent?.spanId && span.traceId === parent?.traceId,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function spansOf(body: string): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(body);
  const found: ReceivedSpan[] = [];
  for (const { resource, scopeSpans } of resourceSpans) {
    for (const { spans } of scopeSpans) {
      for (const span of spans) {
        found.push({
          name: span.name,
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId || undefined,
          kind: span.kind,
          startNs: BigInt(span.startTimeUnixNano),
          endNs: BigInt(span.endTimeUnixNano),
          statusCode: span.status?.code ?? 0,
          attributes: attributesOf(span.attributes),
          links: (span.links ?? []).map(({ traceId, spanId }: ReceivedSpan) => ({
            traceId,
            spanId,
          })),
          resource: attributesOf(resource.attributes),
        });
      }
    }
  }
  return found;
}

function attributesOf(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plainValue(value)]));
}

function plainValue(value: KeyValue['value']): unknown {
  const { arrayValue } = value as {
    readonly arrayValue?: { readonly values: KeyValue['value'][] };
  };
  if (arrayValue !== undefined) return arrayValue.values.map(plainValue);
  return value['intValue'] === undefined ? Object.values(value)[0] : Number(value['intValue']);
}

/** What is told on the channels of spans, as spans of OpenTelemetry. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Channel } from 'node:diagnostics_channel';
import {
  type Attributes,
  type Context,
  type Link,
  type Span as OpenSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { systemClock } from '../core/clock.ts';
import {
  channels,
  type RewriteEvent,
  type Span,
  type SpanAttributes,
  spanChannels,
} from '../telemetry/index.ts';

/** Records until the returned function is called; spans that are open then are lost. */
export function recordSpans(tracer: Tracer): () => void {
  const open = new WeakMap<Span, OpenSpan>();
  const current = new AsyncLocalStorage<Context>();
  const begin = (span: Span): void => {
    const parent = callerOf(span) ?? current.getStore() ?? ROOT_CONTEXT;
    const options = {
      kind: span.name === 'request' ? SpanKind.SERVER : SpanKind.INTERNAL,
      attributes: attributesOf(span.attributes),
      links: span.links.flatMap(linkOf),
    };
    open.set(span, tracer.startSpan(nameOf(span), options, parent));
  };
  const end = (span: Span): void => {
    const recorded = open.get(span);
    recorded?.setAttributes(attributesOf(span.outcome));
    if (span.errorCode !== null) {
      recorded?.setAttribute('error.type', span.errorCode);
      recorded?.setStatus({ code: SpanStatusCode.ERROR });
    }
    recorded?.end();
  };
  // What began before anybody subscribed has no span.
  const contextOf = (span: Span): Context => {
    const recorded = open.get(span);
    return recorded === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, recorded);
  };
  spanChannels.run.bindStore(current, contextOf);
  const unsubscribe = [
    on(spanChannels.begin, begin),
    on(spanChannels.end, end),
    on(channels.compacted, (run) => recordCompaction(tracer, run)),
  ];
  return () => {
    spanChannels.run.unbindStore(current);
    for (const stop of unsubscribe) stop();
  };
}

/** One run of files that became others; told when it is done, with how long it took. */
function recordCompaction(tracer: Tracer, { durationMs, ...run }: RewriteEvent): void {
  const endMs = systemClock.nowMs();
  const attributes = attributesOf({ ...run });
  const options = { startTime: endMs - durationMs, attributes };
  tracer.startSpan('freshet.compaction', options, ROOT_CONTEXT).end(endMs);
}

function nameOf({ name, attributes }: Span): string {
  if (name !== 'request') return `freshet.${name}`;
  const route = attributes['http.route'];
  return `${attributes['http.request.method']}${route === null ? '' : ` ${route}`}`;
}

/** Names with a dot are of OpenTelemetry's conventions; ours are put under `freshet`. */
function attributesOf(attributes: SpanAttributes): Attributes {
  const named: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) continue;
    named[name.includes('.') ? name : `freshet.${name}`] = value as Attributes[string];
  }
  return named;
}

function callerOf({ traceparent }: Span): Context | null {
  const caller = remote(traceparent);
  return caller === null ? null : trace.setSpanContext(ROOT_CONTEXT, caller);
}

function linkOf(traceparent: string): Link[] {
  const context = remote(traceparent);
  return context === null ? [] : [{ context }];
}

/** Null for what is no `traceparent`. */
function remote(traceparent: string | null): SpanContext | null {
  const context = traceparent === null ? null : parseTraceParent(traceparent);
  return context === null ? null : { ...context, isRemote: true };
}

function on<T>(channel: Channel<unknown, T>, listener: (event: T) => void): () => void {
  const handle = (event: unknown): void => listener(event as T);
  channel.subscribe(handle);
  return () => void channel.unsubscribe(handle);
}

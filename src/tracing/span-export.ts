import { setTimeout as sleep } from 'node:timers/promises';
import type { Tracer } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../config/index.ts';
import { channels, type TracingFailure } from '../telemetry/index.ts';

/** Of one delivery, with its repeats; the next ones wait meanwhile, and what is too much is dropped. */
const DELIVERY_MS_MAX = 2_000;
/** A collector that is away does not keep a command from ending for longer. */
const CLOSE_MS_MAX = 3_000;

export interface SpanExport {
  readonly tracer: Tracer;
  /** Never throws. */
  close(): Promise<void>;
}

/** Spans to a collector, in batches: OTLP as JSON over HTTP. */
export function createExport(config: TracingConfig, version: string | null): SpanExport {
  const { endpoint, serviceName, sampleRatio, headers } = config;
  const exporter = new OTLPTraceExporter({
    url: endpoint,
    headers: { ...headers },
    timeoutMillis: DELIVERY_MS_MAX,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': serviceName,
      ...(version !== null && { 'service.version': version }),
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: new ToldExporter(exporter, new URL(endpoint).origin) }),
    ],
  });
  return { tracer: provider.getTracer('freshet'), close: () => closeInTime(provider) };
}

/** Tells that spans are lost: once, and again only behind a success. */
class ToldExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #collector: string;
  #isTold = false;

  constructor(exporter: SpanExporter, collector: string) {
    this.#exporter = exporter;
    this.#collector = collector;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.#isTold = false;
      else this.#tell(result.error?.message || 'it gave no reason');
      done(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #tell(reason: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    tellFailure({ collector: this.#collector, reason });
  }
}

function tellFailure(failure: TracingFailure): void {
  if (channels.tracingFailed.hasSubscribers) channels.tracingFailed.publish(failure);
  else {
    const { collector, reason } = failure;
    process.emitWarning(`traces are not delivered to ${collector}: ${reason}`, 'FreshetWarning');
  }
}

async function closeInTime(provider: TracerProvider): Promise<void> {
  const inTime = new AbortController();
  const { signal } = inTime;
  const late = sleep(CLOSE_MS_MAX, undefined, { signal }).catch(() => {}); // it was in time
  // What could not be delivered has been told by the exporter.
  await Promise.race([provider.shutdown().catch(() => {}), late]);
  inTime.abort();
}

import type { TracingConfig } from '../config/index.ts';

export interface TracingOptions {
  /** `service.version` of the spans. Default: none. */
  readonly version?: string;
}

/** Traces of this process, for as long as it is open. */
export interface Tracing extends AsyncDisposable {
  /** Delivers what is left, for three seconds at most. Idempotent; never throws. */
  close(): Promise<void>;
}

/**
 * Sends spans of all that Freshet does in this process to a collector. OpenTelemetry is loaded here
 * and nowhere else, and only now; nothing global of it is set. A collector that is away costs no
 * more than the spans: they are dropped, and that is told once on `channels.tracingFailed`, or as a
 * warning of the process where nobody subscribes.
 */
export async function startTracing(
  config: TracingConfig,
  options: TracingOptions = {},
): Promise<Tracing> {
  const { createExport } = await import('./span-export.ts');
  const { recordSpans } = await import('./record-spans.ts');
  const spans = createExport(config, options.version ?? null);
  const stop = recordSpans(spans.tracer);
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    stop();
    closing ??= spans.close();
    return closing;
  };
  return { close, [Symbol.asyncDispose]: close };
}

/**
 * Spans: pieces of work with a beginning and an end, told on channels. Whoever subscribes makes
 * traces of them (`src/tracing`); without a subscriber the work runs as if nothing of this were here.
 * A span is of a batch, a commit, a file, a request or a join, never of a row.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import { FreshetError } from '../errors.ts';

export type SpanName =
  | 'batch'
  | 'commit'
  | 'seal'
  | 'compaction'
  | 'request'
  | 'read'
  | 'join'
  | 'backfill.slice'
  | 'backfill.part';

/** Never a value of a row or of an entity key; null says nothing. */
export type SpanAttributes = Readonly<
  Record<string, string | number | boolean | readonly string[] | null>
>;

export interface Span {
  readonly name: SpanName;
  /** What is known at the beginning. */
  readonly attributes: SpanAttributes;
  /** W3C `traceparent` of the caller in another process; null without one. */
  readonly traceparent: string | null;
  /** The same, of what the work was caused by in other ways, such as the records of a batch. */
  readonly links: readonly string[];
  /** What is known at the end. */
  outcome: SpanAttributes;
  /** Code of what the work threw; null when it did not, or not yet. */
  errorCode: string | null;
}

export interface SpanBegin {
  readonly name: SpanName;
  readonly attributes: SpanAttributes;
  readonly traceparent?: string | null;
  readonly links?: readonly string[];
}

/** `run` is bound by subscribers that must know in which span code runs (`bindStore`). */
export const spanChannels = {
  begin: channel('freshet:span:begin') as Channel<unknown, Span>,
  run: channel('freshet:span:run') as Channel<unknown, Span>,
  end: channel('freshet:span:end') as Channel<unknown, Span>,
};

/**
 * Runs work in a span, which it ends; `begin` is asked for only when somebody subscribes. What the
 * work throws is told by its code or class alone: a message may hold what a row holds.
 */
export function inSpan<T>(
  begin: () => SpanBegin,
  work: () => Promise<T>,
  outcomeOf: (result: T) => SpanAttributes = () => ({}),
): Promise<T> {
  const span = beginSpan(begin);
  return span === null ? work() : told(span, work, outcomeOf);
}

/** Null when nobody subscribes. A span must be ended, once. */
export function beginSpan(begin: () => SpanBegin): Span | null {
  if (!spanChannels.begin.hasSubscribers) return null;
  const span = { traceparent: null, links: [], ...begin(), outcome: {}, errorCode: null };
  spanChannels.begin.publish(span);
  return span;
}

/** Spans that begin in the work, also behind an `await`, are below this one. */
export function runInSpan<T>(span: Span | null, work: () => T): T {
  return span === null ? work() : (spanChannels.run.runStores(span, work) as T);
}

/** `errorCode` of work that failed. */
export function endSpan(
  span: Span | null,
  outcome: SpanAttributes,
  errorCode: string | null = null,
): void {
  if (span === null) return;
  span.outcome = outcome;
  span.errorCode = errorCode;
  spanChannels.end.publish(span);
}

async function told<T>(
  span: Span,
  work: () => Promise<T>,
  outcomeOf: (result: T) => SpanAttributes,
): Promise<T> {
  try {
    const result = await runInSpan(span, work);
    endSpan(span, outcomeOf(result));
    return result;
  } catch (thrown) {
    endSpan(span, {}, codeOf(thrown));
    throw thrown;
  }
}

function codeOf(thrown: unknown): string {
  if (thrown instanceof FreshetError) return thrown.code;
  return thrown instanceof Error ? thrown.name : 'INTERNAL';
}

/** How a case of `stream-cases.json` is said in Freshet: the view, its windows, and its values. */
import {
  count,
  firstN,
  hopping,
  max,
  mean,
  min,
  session,
  sliding,
  sum,
  tumbling,
} from '../../src/index.ts';
import { unknown } from './window-cases.ts';
import { type Aggregation, typeOfValues, type Values, type WorldSpec } from './window-world.ts';

export interface StreamCase {
  readonly id: string;
  readonly window: StreamWindow;
  readonly window_bounds: string;
  readonly aggregation: string;
  readonly emit: string;
  readonly order: string;
  readonly events: readonly StreamEvent[];
  readonly expected: readonly Outcome[];
}

export interface StreamWindow {
  readonly type: string;
  readonly size_ms: number;
  readonly advance_ms?: number;
  readonly gap_ms?: number;
  readonly grace_ms: number;
}

export interface StreamEvent {
  readonly key: string;
  readonly ts_ms: number;
  readonly value: unknown;
}

/** What an event causes: an update or final value of a window, one that is gone, a row dropped. */
export interface Outcome {
  readonly op: string;
  readonly key: string;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly value?: unknown;
  readonly after_event?: number;
  readonly event_ts_ms?: number;
}

/** The most values of one window that a case collects. */
const COLLECTED = 1_000;
const OPS = new Set(['update', 'final', 'retract', 'dropped', 'state', 'assign']);
const EMITS = new Set([
  'update_and_final',
  'on_update',
  'on_close',
  'final_only',
  'drops_only',
  'assignment',
]);

/** @throws Error when the case asks for what this runner does not know */
export function requireKnown({ expected, emit, window, window_bounds }: StreamCase): void {
  for (const { op } of expected) if (!OPS.has(op)) throw unknown('operation', op);
  if (!EMITS.has(emit)) throw unknown('emission', emit);
  const isAligned = window.type === 'tumbling' || window.type === 'hopping';
  if (window_bounds !== (isAligned ? '[start,end)' : '[start,end]')) {
    throw unknown('kind of bounds', window_bounds);
  }
}

export function specOf(streamCase: StreamCase): WorldSpec {
  const { events } = streamCase;
  const over = windowOf(streamCase.window);
  const aggregations = aggregationsOf(streamCase.aggregation, over);
  const bounds: Aggregation[] = [
    { name: 'first_ts', column: 'ts', function: min(), window: over },
    { name: 'last_ts', column: 'ts', function: max(), window: over },
  ];
  return {
    columns: { value: typeOfValues(events.map(({ value }) => value)) },
    aggregations: [...aggregations, ...bounds],
    graceMs: graceMsOf(streamCase),
    nowMs: 0,
  };
}

/**
 * Their sliding windows end at a row's time or up to a size after it, and each closes for itself, so
 * that a row counts in some of them for a size longer than the grace; ours judge the row. Where a
 * case is about drops, it is the window at the row's own time that drops it.
 */
export function graceMsOf({ window, expected }: StreamCase): number {
  const judgesRow = expected.some(({ op }) => op === 'dropped');
  return window.grace_ms + (window.type === 'sliding' && !judgesRow ? window.size_ms : 0);
}

/** Whether a window takes no more rows at a stream time. */
export function isClosed(window: StreamWindow, endMs: number, streamTimeMs: number): boolean {
  const closedMs = streamTimeMs - window.grace_ms;
  if (window.type === 'sliding') return endMs < closedMs;
  return window.type === 'session' ? endMs + (window.gap_ms ?? 0) < closedMs : endMs <= closedMs;
}

/** Starts of the tumbling or hopping windows that hold a time; none before 1970, as there. */
export function startsAt({ size_ms, advance_ms = size_ms }: StreamWindow, tsMs: number): number[] {
  const starts: number[] = [];
  for (let start = 0; start <= tsMs; start += advance_ms) {
    if (tsMs < start + size_ms) starts.push(start);
  }
  return starts;
}

/** The value of a window as the case writes it; null where no row counts. */
export function windowValue(streamCase: StreamCase, features: Values): unknown {
  if (features['first_ts'] === null) return null;
  const { aggregation } = streamCase;
  if (aggregation.startsWith('multi: ')) {
    return Object.fromEntries(
      namesOf(aggregation).map((name) => [name, plain(features[name] ?? null)]),
    );
  }
  return plain(features['value'] ?? null);
}

/** What is expected, in the same form: texts that were joined are lists of what was joined. */
export function expectedOf({ aggregation, events }: StreamCase, { value, op }: Outcome): unknown {
  if (aggregation === 'assign') return 1;
  if (aggregation.startsWith('concat')) {
    if (typeof value !== 'string') throw unknown('text', JSON.stringify(value));
    return withoutInits(aggregation, value, events);
  }
  if (aggregation.startsWith('multi: ') && op === 'update') {
    // They collect when a window closes, we at any time.
    const { collect: _, ...rest } = value as Values;
    return rest;
  }
  return value ?? null;
}

/** `init` begins each text; where sessions are merged it is in there once a session and row. */
function withoutInits(aggregation: string, value: string, events: readonly StreamEvent[]): unknown {
  const tokens = value.split('+');
  const [, init] = /init '(.*?)'/.exec(aggregation) ?? [];
  if (init === undefined || tokens[0] !== init) throw unknown('concatenation', aggregation);
  if (!aggregation.includes('merge=')) return tokens.slice(1);
  if (events.some((event) => event.value === init)) throw unknown('value', init);
  return tokens.filter((token) => token !== init);
}

/**
 * Whether two values are the same. Lists are in the order of event time here and in that of arrival
 * there: `inOrder` says that the two are one.
 */
export function isSameValue(got: unknown, want: unknown, inOrder: boolean): boolean {
  if (Array.isArray(got) && Array.isArray(want)) {
    const [a, b] = inOrder ? [got, want] : [[...got].sort(), [...want].sort()];
    return JSON.stringify(a) === JSON.stringify(b);
  }
  if (isRecord(got) && isRecord(want)) {
    return Object.entries(want).every(([name, value]) => isSameValue(got[name], value, inOrder));
  }
  return Object.is(got, want);
}

function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function aggregationsOf(aggregation: string, window: Aggregation['window']): Aggregation[] {
  if (!aggregation.startsWith('multi: ')) return [named('value', aggregation, window)];
  return namesOf(aggregation).map((name) => named(name, name, window));
}

function namesOf(aggregation: string): string[] {
  return aggregation.slice('multi: '.length).split(',');
}

function named(name: string, aggregation: string, window: Aggregation['window']): Aggregation {
  const column = 'value';
  switch (aggregation) {
    case 'count':
    case 'count; merge=a+b':
    case 'assign':
      return { name, function: count(), window };
    case 'sum':
      return { name, column, function: sum(), window };
    case 'mean':
      return { name, column, function: mean(), window };
    case 'max':
      return { name, column, function: max(), window };
    case 'min':
      return { name, column, function: min(), window };
    case 'collect':
    case 'reduce: init [v], agg+[v]':
      return { name, column, function: firstN(COLLECTED), window };
    default:
      if (!/^concat: init '.*?', agg=agg\+'\+'\+value(, merge=.*)?$/.test(aggregation)) {
        throw unknown('aggregation', aggregation);
      }
      return { name, column, function: firstN(COLLECTED), window };
  }
}

/** All are read at their end: sliding ones hold both their ends, so they are a millisecond longer. */
function windowOf({ type, size_ms, advance_ms, gap_ms }: StreamWindow): Aggregation['window'] {
  switch (type) {
    case 'tumbling':
      if (advance_ms !== undefined && advance_ms !== size_ms)
        throw unknown('advance', String(advance_ms));
      return tumbling(`${size_ms}ms`);
    case 'hopping':
      return hopping(`${size_ms}ms`, `${advance_ms ?? size_ms}ms`);
    case 'sliding':
      return sliding(`${size_ms + 1}ms`, { exact: true });
    case 'session':
      return session(`${gap_ms ?? 0}ms`);
    default:
      throw unknown('window', type);
  }
}

/** Whole numbers of 64 bits as numbers, as JSON has them. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  return Array.isArray(value) ? value.map(plain) : value;
}

/** How a case of `window-cases.json` is said in Freshet: columns, aggregations, and the answer. */
import type { FieldType } from '../../src/core/field-type.ts';
import * as freshet from '../../src/index.ts';
import { compileExpression } from './expression.ts';
import { type Aggregation, typeOfValues, type Values, type WorldSpec } from './window-world.ts';

export interface WindowCase {
  readonly id: string;
  readonly aggregation: string;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly window: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly slide_or_hop: number | null;
  readonly mode?: 'batch' | 'request';
  readonly tolerance?: number;
  readonly events: readonly WindowEvent[];
  readonly queries: readonly WindowQuery[];
}

export interface WindowEvent {
  readonly key: string;
  readonly ts_ms: number;
  readonly value: unknown;
  readonly op?: string;
  readonly visible_from_ms?: number;
}

export interface WindowQuery {
  readonly key: string;
  readonly ts_ms: number;
  readonly expected: unknown;
  readonly at_event?: number;
}

export interface CasePlan {
  readonly spec: Omit<WorldSpec, 'graceMs' | 'nowMs'>;
  /** The rows that one event is. */
  rowsOf(event: WindowEvent): Values[];
  /** The answer to the case from the features of the view. */
  answer(features: Values): unknown;
}

interface Part {
  readonly derive: Record<string, { type: FieldType; of: (row: Values) => unknown }>;
  readonly aggregations: readonly Aggregation[];
  answer(features: Values): unknown;
}

const KNOWN_ARGS = new Set([
  'k',
  'ignores_deletes',
  'flatten_lists',
  'element_wise',
  'null_is_value',
  'where',
]);

/** @throws Error when the case asks for what this runner does not know */
export function planCase(windowCase: WindowCase): CasePlan {
  const { args = {}, events } = windowCase;
  for (const name of Object.keys(args)) if (!KNOWN_ARGS.has(name)) throw unknown('argument', name);
  const deletes = events.some(({ op }) => op === 'delete');
  const flattens = args['flatten_lists'] === true;
  const elements = args['element_wise'] === true ? listsOf(events)[0]?.length : undefined;
  const values = flattens || elements !== undefined ? listsOf(events).flat() : valuesOf(events);
  const type = typeOfValues(values);
  const names = elements === undefined ? ['value'] : Array.from(Array(elements), (_, i) => `e${i}`);
  const retracts = deletes && args['ignores_deletes'] !== true;
  const parts = names.map((name) => planColumn(windowCase, name, type, values, retracts));
  return {
    spec: {
      columns: { op: 'string', ...Object.fromEntries(names.map((name) => [name, type])) },
      derive: Object.assign({}, ...parts.map(({ derive }) => derive)),
      aggregations: parts.flatMap(({ aggregations }) => aggregations),
      ...(deletes && !retracts && { where: ({ op }: Values) => op !== 'delete' }),
    },
    rowsOf: ({ key, ts_ms, value, op = null }) => {
      // Their windows are [tail, q) where ours are (tail, q]: a microsecond later is the same.
      const ts = ts_ms * 1_000 + (windowCase.window.type === 'sawtooth' ? 1 : 0);
      const row = { key, ts, op };
      if (flattens) return ((value ?? []) as unknown[]).map((item) => ({ ...row, value: item }));
      if (elements === undefined) return [{ ...row, value }];
      return [
        Object.assign(row, ...names.map((n, i) => ({ [n]: (value as unknown[])?.[i] ?? null }))),
      ];
    },
    answer: (features) => {
      const answers = parts.map((part) => part.answer(features));
      return elements === undefined ? answers[0] : answers;
    },
  };
}

function planColumn(
  windowCase: WindowCase,
  name: string,
  type: FieldType,
  values: readonly unknown[],
  retracts: boolean,
): Part {
  const { args = {}, window, aggregation } = windowCase;
  const over = windowOf(windowCase);
  if (retracts) return planRetracting(windowCase, name, type, values);
  if (window['maxsize'] !== undefined) {
    const fn = freshet.lastN(window['maxsize'] as number);
    return {
      derive: {},
      aggregations: [{ name: `f_${name}`, column: name, function: fn, window: over }],
      answer: (features) => fold(aggregation, features[`f_${name}`] as readonly unknown[] | null),
    };
  }
  const derive: Part['derive'] = {};
  if (args['where'] !== undefined) {
    const passes = compileExpression(args['where'] as string);
    // The filter is inside the frame: a row that fails it is in the frame, without a value.
    derive[`d_${name}`] = { type, of: (row) => (passes(row) === true ? row[name] : null) };
  } else if (args['null_is_value'] === true) {
    derive[`d_${name}`] = { type: 'string', of: (row) => String(row[name]) };
  }
  const column = Object.keys(derive)[0] ?? name;
  const fn = functionOf(windowCase);
  return {
    derive,
    aggregations: [{ name: `f_${name}`, column, function: fn, window: over }],
    answer: (features) => features[`f_${name}`],
  };
}

/**
 * A row that takes another back counts with a negative sign: sums and what is made of sums can do
 * that, and a histogram is one sum for each value.
 */
function planRetracting(
  windowCase: WindowCase,
  name: string,
  type: FieldType,
  values: readonly unknown[],
): Part {
  const { aggregation, args = {} } = windowCase;
  const window = windowOf(windowCase);
  const sign = ({ op }: Values): number => (op === 'delete' ? -1 : 1);
  const derive: Part['derive'] = {
    [`n_${name}`]: { type: 'int32', of: (row) => (row[name] === null ? null : sign(row)) },
  };
  const sumOf = (column: string): Aggregation => ({
    name: column,
    column,
    function: freshet.sum(),
    window,
  });
  const number = (features: Values, column: string): number => Number(features[column] ?? 0);
  if (aggregation === 'count') {
    const answer = (features: Values): unknown => number(features, `n_${name}`);
    return { derive, aggregations: [sumOf(`n_${name}`)], answer };
  }
  if (aggregation === 'histogram') {
    const distinct = [...new Set(values.filter((value) => value !== null))];
    for (const [i, value] of distinct.entries()) {
      const of = (row: Values): unknown => (row[name] === value ? sign(row) : null);
      derive[`h${i}_${name}`] = { type: 'int32', of };
    }
    return {
      derive,
      aggregations: distinct.map((_, i) => sumOf(`h${i}_${name}`)),
      answer: (features) => {
        const counts = distinct.map((v, i) => [v, number(features, `h${i}_${name}`)] as const);
        const most = counts.filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
        return Object.fromEntries(most.slice(0, (args['k'] as number) ?? most.length));
      },
    };
  }
  if (aggregation !== 'sum' && aggregation !== 'avg') throw unknown('retraction of', aggregation);
  const signed = (row: Values): unknown =>
    row['op'] === 'delete' && row[name] !== null ? -(row[name] as number) : row[name];
  derive[`s_${name}`] = { type, of: signed };
  return {
    derive,
    aggregations: [sumOf(`s_${name}`), sumOf(`n_${name}`)],
    answer: (features) => {
      const [sum, count] = [number(features, `s_${name}`), number(features, `n_${name}`)];
      if (count === 0) return null;
      return aggregation === 'sum' ? sum : sum / count;
    },
  };
}

function windowOf({ window, slide_or_hop: hop }: WindowCase): Aggregation['window'] {
  switch (window.type) {
    case 'lifetime':
      return freshet.lifetime();
    case 'range': {
      const { lowMs, highMs } = rangeOf(window);
      return freshet.sliding(`${highMs - lowMs + 1}ms`, { exact: true });
    }
    case 'rows':
      return freshet.lastRows(
        (window['start_preceding_rows'] as number) - (window['end_preceding_rows'] as number) + 1,
      );
    case 'sawtooth':
      if (window['left'] !== 'inclusive' || window['right'] !== 'exclusive') {
        throw unknown('edges', JSON.stringify(window));
      }
      return freshet.sliding(`${window['size_ms'] as number}ms`, { every: `${hop ?? 0}ms` });
    default:
      throw unknown('window', window.type);
  }
}

/** First and last millisecond of a range, counted from the time of the query. */
export function rangeOf(window: WindowCase['window']): { lowMs: number; highMs: number } {
  const [start, end] = [window['start_preceding_ms'], window['end_preceding_ms']] as number[];
  return {
    lowMs: -(start as number) + (window['left'] === 'exclusive' ? 1 : 0),
    highMs: -(end as number) - (window['right'] === 'exclusive' ? 1 : 0),
  };
}

function functionOf({ aggregation, args = {} }: WindowCase): Aggregation['function'] {
  const k = args['k'] as number;
  switch (aggregation) {
    case 'avg':
      return freshet.mean();
    case 'unique_count':
      return freshet.distinctCount();
    case 'bounded_unique_count':
      return freshet.distinctCount(k);
    case 'first_k':
      return freshet.firstN(k);
    case 'last_k':
      return freshet.lastN(k);
    case 'top_k':
      return freshet.topN(k);
    case 'histogram':
      return freshet.histogram(k ?? 1_000);
    case 'approx_histogram_k':
      return freshet.histogram(k);
    case 'approx_unique_count':
      return freshet.approxDistinctCount();
    case 'variance':
      return freshet.variancePopulation();
    case 'count':
      return freshet.count();
    case 'sum':
      return freshet.sum();
    case 'min':
      return freshet.min();
    case 'max':
      return freshet.max();
    case 'first':
      return freshet.first();
    case 'last':
      return freshet.last();
    case 'skew':
      return freshet.skew();
    case 'kurtosis':
      return freshet.kurtosis();
    default:
      throw unknown('aggregation', aggregation);
  }
}

/** What an on-demand view makes of the newest values of a window. */
function fold(aggregation: string, values: readonly unknown[] | null): unknown {
  const numbers = (values ?? []).map(Number);
  if (aggregation === 'count') return numbers.length;
  if (numbers.length === 0) return null;
  const sum = numbers.reduce((a, b) => a + b, 0);
  switch (aggregation) {
    case 'sum':
      return sum;
    case 'avg':
      return sum / numbers.length;
    case 'min':
      return Math.min(...numbers);
    case 'max':
      return Math.max(...numbers);
    default:
      throw unknown('aggregation of the newest rows', aggregation);
  }
}

function valuesOf(events: readonly WindowEvent[]): unknown[] {
  return events.map(({ value }) => value);
}

function listsOf(events: readonly WindowEvent[]): unknown[][] {
  return valuesOf(events).filter((value): value is unknown[] => value !== null);
}

export function unknown(what: string, name: string): Error {
  return new Error(`the case has a ${what} that this runner does not know: ${name}`);
}

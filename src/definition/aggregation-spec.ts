import type { FieldType, Schema, ValueOf } from '../core/field-type.ts';
import { didYouMean } from '../core/nearest.ts';
import { type Duration, parseDurationUs } from '../core/time.ts';
import { FreshetError } from '../errors.ts';
import type { WindowSpec } from './window-spec.ts';

/** What is computed over the rows of a window; data only, the code is in `src/window/aggregators`. */
export interface AggregationFunction<K extends FunctionName = FunctionName> {
  readonly name: K;
  /** By parameter name; empty for most. */
  readonly params: Readonly<Record<string, number>>;
}

/** One feature of a windowed view. */
export interface AggregationSpec {
  /** The column or derived column; null for `count` of rows and other functions of time alone. */
  readonly column: string | null;
  readonly function: AggregationFunction;
  readonly window: WindowSpec;
  /** Name of the feature. */
  readonly feature: string;
  readonly outputType: FieldType;
}

/** Everything that makes a feature view windowed. */
export interface Windowing {
  /** Rows that count; null: all. */
  readonly where: ((row: Readonly<Record<string, unknown>>) => boolean) | null;
  readonly derive: Readonly<Record<string, DerivedColumn>>;
  readonly aggregations: readonly AggregationSpec[];
  /** Null: windows are read, and not sent anywhere. */
  readonly emit: Emission | null;
}

/** Where the results of tumbling, hopping and session windows go, as JSON. */
export interface Emission {
  readonly topic: string;
  /** `final`: each window once, when it is closed; `updates`: after each micro-batch, too. */
  readonly mode: 'final' | 'updates';
}

/** A column computed from the row it belongs to. */
export interface DerivedColumn<T extends FieldType = FieldType> {
  readonly type: T;
  readonly of: (row: Readonly<Record<string, unknown>>) => unknown;
}

export type FunctionName =
  | 'count'
  | 'sum'
  | 'mean'
  | 'min'
  | 'max'
  | 'first'
  | 'last'
  | 'firstN'
  | 'lastN'
  | 'variancePopulation'
  | 'varianceSample'
  | 'stddevPopulation'
  | 'stddevSample'
  | 'skew'
  | 'kurtosis'
  | 'any'
  | 'all'
  | 'distinctCount'
  | 'approxDistinctCount'
  | 'percentile'
  | 'histogram'
  | 'topN'
  | 'decayedSum'
  | 'decayedCount'
  | 'timeSinceLast';

const plain = <const K extends FunctionName>(
  name: K,
  params: Readonly<Record<string, number>> = {},
): AggregationFunction<K> => Object.freeze({ name, params: Object.freeze(params) });

/** Rows, or values that are not null where a column is named. Empty: 0. */
export const count = (): AggregationFunction<'count'> => plain('count');
/** Exact; of whole numbers an int64, else a float64 rounded once. */
export const sum = (): AggregationFunction<'sum'> => plain('sum');
export const mean = (): AggregationFunction<'mean'> => plain('mean');
export const min = (): AggregationFunction<'min'> => plain('min');
export const max = (): AggregationFunction<'max'> => plain('max');
/** The value of the first row in the total order of rows. */
export const first = (): AggregationFunction<'first'> => plain('first');
export const last = (): AggregationFunction<'last'> => plain('last');
/** The first n values, oldest first. */
export const firstN = (n: number): AggregationFunction<'firstN'> => plain('firstN', { n: size(n) });
/** The last n values, newest first. */
export const lastN = (n: number): AggregationFunction<'lastN'> => plain('lastN', { n: size(n) });
export const variancePopulation = (): AggregationFunction<'variancePopulation'> =>
  plain('variancePopulation');
export const varianceSample = (): AggregationFunction<'varianceSample'> => plain('varianceSample');
export const stddevPopulation = (): AggregationFunction<'stddevPopulation'> =>
  plain('stddevPopulation');
export const stddevSample = (): AggregationFunction<'stddevSample'> => plain('stddevSample');
/** Population skewness; NaN for fewer than three values. */
export const skew = (): AggregationFunction<'skew'> => plain('skew');
/** Population excess kurtosis. */
export const kurtosis = (): AggregationFunction<'kurtosis'> => plain('kurtosis');
export const any = (): AggregationFunction<'any'> => plain('any');
export const all = (): AggregationFunction<'all'> => plain('all');
/** Exact up to `bound` (default 1,000) distinct values, then the bound. */
export const distinctCount = (bound = 1_000): AggregationFunction<'distinctCount'> =>
  plain('distinctCount', { bound: size(bound) });
/** HyperLogLog; standard error 1.04 / sqrt(2^precision), default precision 12: 1.6 %. */
export const approxDistinctCount = (precision = 12): AggregationFunction<'approxDistinctCount'> =>
  plain('approxDistinctCount', { precision });
/** The p quantile, 0 to 1, within a relative error of `accuracy` (default 0.01). */
export const percentile = (p: number, accuracy = 0.01): AggregationFunction<'percentile'> =>
  plain('percentile', { p, accuracy });
/** The k most frequent values and their counts; ties by value. */
export const histogram = (k = 10): AggregationFunction<'histogram'> =>
  plain('histogram', { k: size(k) });
/** The n greatest values, greatest first. */
export const topN = (n: number): AggregationFunction<'topN'> => plain('topN', { n: size(n) });
/** Values that count half after each half-life, decayed to the time of the read. */
export const decayedSum = (halfLife: Duration): AggregationFunction<'decayedSum'> =>
  plain('decayedSum', { halfLifeUs: parseDurationUs(halfLife) });
export const decayedCount = (halfLife: Duration): AggregationFunction<'decayedCount'> =>
  plain('decayedCount', { halfLifeUs: parseDurationUs(halfLife) });
/** Seconds from the newest row to the time of the read. */
export const timeSinceLast = (): AggregationFunction<'timeSinceLast'> => plain('timeSinceLast');

/** The type of a function's result over a column of type T. */
export type OutputType<K extends FunctionName, T> = K extends
  | 'count'
  | 'distinctCount'
  | 'approxDistinctCount'
  ? 'int64'
  : K extends 'sum'
    ? T extends 'int32' | 'int64'
      ? 'int64'
      : 'float64'
    : K extends 'min' | 'max' | 'first' | 'last'
      ? T extends FieldType
        ? T
        : never
      : K extends 'firstN' | 'lastN' | 'topN'
        ? T extends string
          ? `${T}[]` extends infer A extends FieldType
            ? A
            : never
          : never
        : K extends 'any' | 'all'
          ? 'bool'
          : K extends 'histogram'
            ? 'json'
            : 'float64';

/** The same at run time. */
export function outputTypeOf(name: FunctionName, columnType: FieldType | null): FieldType {
  switch (name) {
    case 'count':
    case 'distinctCount':
    case 'approxDistinctCount':
      return 'int64';
    case 'sum':
      return columnType === 'int32' || columnType === 'int64' ? 'int64' : 'float64';
    case 'min':
    case 'max':
    case 'first':
    case 'last':
      return columnType as FieldType;
    case 'firstN':
    case 'lastN':
    case 'topN':
      return `${columnType}[]` as FieldType;
    case 'any':
    case 'all':
      return 'bool';
    case 'histogram':
      return 'json';
    default:
      return 'float64';
  }
}

/** Functions that have a default for each parameter may be named by text. */
export type PlainFunctionName = Exclude<
  FunctionName,
  'firstN' | 'lastN' | 'percentile' | 'topN' | 'decayedSum' | 'decayedCount'
>;

/** An aggregation as it is written in a definition. */
export interface AggregationInput<C extends string = string> {
  /** A column of the source or a derived one; left out for `count` and functions of time alone. */
  readonly column?: C;
  readonly function: AggregationFunction | PlainFunctionName;
  readonly window: WindowSpec;
  /** Default `column_function_window`, or `function_window` without a column. */
  readonly name?: string;
}

type NameOf<F> = F extends AggregationFunction<infer K> ? K : F extends FunctionName ? F : never;

/** Feature name and type of each aggregation of a view, from the columns it may read. */
export type FeaturesOfAggregations<
  A extends readonly AggregationInput[],
  Columns extends Schema,
> = {
  readonly [I in A[number] as FeatureName<I>]: OutputType<
    NameOf<I['function']>,
    I extends { readonly column: infer C extends keyof Columns } ? Columns[C] : null
  >;
};

type FeatureName<I> = I extends { readonly name: infer N extends string }
  ? N
  : I extends {
        readonly function: infer F;
        readonly window: { readonly label: infer L extends string };
      }
    ? I extends { readonly column: infer C extends string }
      ? `${C}_${NameOf<F>}_${L}`
      : `${NameOf<F>}_${L}`
    : never;

/** What `where` and `derive` are handed; any column may be null. */
export type SourceRow<S extends Schema> = {
  readonly [K in keyof S]: ValueOf<S[K]> | null;
};

/** Functions that may be named alone. The compiler sees a missing one, and a superfluous one, too. */
const PLAIN_FUNCTIONS: Readonly<Record<PlainFunctionName, () => AggregationFunction>> = {
  ...{ count, sum, mean, min, max, first, last },
  ...{ variancePopulation, varianceSample, stddevPopulation, stddevSample, skew, kurtosis },
  ...{ any, all, distinctCount, approxDistinctCount, histogram, timeSinceLast },
};
const WITH_PARAMETERS = ['firstN', 'lastN', 'percentile', 'topN', 'decayedSum', 'decayedCount'];

/**
 * The function of a name alone, with its default parameters. Programs that are not compiled may name
 * any: of those that are none the answer says why.
 */
export function plainFunction(name: PlainFunctionName): AggregationFunction | string {
  if (Object.hasOwn(PLAIN_FUNCTIONS, name)) return PLAIN_FUNCTIONS[name]();
  if (WITH_PARAMETERS.includes(name)) {
    return `the function ${name} needs a parameter: import it, and write function: ${name}(…)`;
  }
  const hint = didYouMean(name, [...Object.keys(PLAIN_FUNCTIONS), ...WITH_PARAMETERS]);
  return `there is no function "${name}". ${hint}`;
}

function size(n: number): number {
  if (!Number.isSafeInteger(n) || n < 1 || n > 100_000) {
    throw new FreshetError('DEFINITION_INVALID', `${n} is not a number of values, 1 to 100,000`);
  }
  return n;
}

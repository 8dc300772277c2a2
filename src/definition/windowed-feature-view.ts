import type { FieldType, Schema } from '../core/field-type.ts';
import type { Duration } from '../core/time.ts';
import { FreshetError } from '../errors.ts';
import {
  type AggregationFunction,
  type AggregationInput,
  type AggregationSpec,
  type DerivedColumn,
  type Emission,
  type FeaturesOfAggregations,
  outputTypeOf,
  plainFunction,
  type SourceRow,
  type Windowing,
} from './aggregation-spec.ts';
import type { Entity, Metadata } from './entity.ts';
import { type FeatureView, type JoinKeysOf, makeView } from './feature-view.ts';
import { requireName } from './name.ts';
import { requirePure } from './require-pure.ts';
import { type ParquetSource, requireSchema, requireTopic, type TopicSource } from './source.ts';

type SchemaOf<S> =
  S extends TopicSource<infer T> ? T : S extends ParquetSource<infer T> ? T : never;

export interface WindowedFeatureViewSpec<
  N extends string,
  E extends readonly Entity[],
  S extends TopicSource | ParquetSource,
  D extends Readonly<Record<string, FieldType>>,
  A extends readonly AggregationInput[],
> extends Metadata {
  readonly name: N;
  /** Default: none, one global row. */
  readonly entities?: E;
  readonly source: S;
  readonly batchSource?: ParquetSource;
  /** Rows that count; default: all. Must depend on its row alone. */
  readonly where?: (row: SourceRow<SchemaOf<S>>) => boolean;
  /** Columns computed from their row, for aggregations to read. Must depend on their row alone. */
  readonly derive?: {
    readonly [K in keyof D]: {
      readonly type: D[K];
      readonly of: (row: SourceRow<SchemaOf<S>>) => unknown;
    };
  };
  readonly aggregations: A;
  /** Sends the results of tumbling, hopping and session windows to a topic. Default: none. */
  readonly emit?: Emission;
  /** Age of the newest row at which values stop being served. Default: never. */
  readonly ttl?: Duration | null;
  /** How far behind stream time a row may be and still count. Default 0s. */
  readonly grace?: Duration;
  readonly online?: boolean;
  readonly offline?: boolean;
  readonly enabled?: boolean;
}

/**
 * Features aggregated over windows of rows.
 *
 * @example
 * windowedFeatureView({
 *   name: 'airport_delays', entities: [airport], source: flights,
 *   derive: { late: { type: 'bool', of: (row) => row.delay !== null && row.delay > 15 } },
 *   aggregations: [
 *     { function: 'count', window: sliding('1h') },                 // count_1h
 *     { column: 'delay', function: percentile(0.95), window: sliding('7d'), name: 'delay_p95_7d' },
 *   ],
 * })
 * @throws FreshetError DEFINITION_INVALID naming the view and the aggregation
 */
export function windowedFeatureView<
  const N extends string,
  const S extends TopicSource | ParquetSource,
  const A extends readonly AggregationInput<keyof (SchemaOf<S> & D) & string>[],
  const E extends readonly Entity[] = readonly [],
  const D extends Readonly<Record<string, FieldType>> = Record<never, never>,
>(
  spec: WindowedFeatureViewSpec<N, E, S, D, A>,
): FeatureView<N, JoinKeysOf<E>, FeaturesOfAggregations<A, SchemaOf<S> & D>> {
  const derive = (spec.derive ?? {}) as Readonly<Record<string, DerivedColumn>>;
  const derivedSchema: Record<string, FieldType> = {};
  for (const [name, column] of Object.entries(derive)) derivedSchema[name] = column.type;
  requireSchema(spec.name, derivedSchema);
  const columns: Schema = { ...spec.source.schema, ...derivedSchema };
  if (spec.aggregations.length === 0) throw invalid(spec.name, 'there is no aggregation');
  const aggregations = spec.aggregations.map((input) => toSpec(spec.name, input, columns));
  const schema: Record<string, FieldType> = {};
  for (const { feature, outputType } of aggregations) {
    if (Object.hasOwn(schema, feature)) {
      throw invalid(spec.name, `two aggregations are named "${feature}"; give one a name`);
    }
    schema[feature] = outputType;
  }
  if (spec.where !== undefined) requirePure(spec.name, 'where', spec.where);
  for (const [name, { of }] of Object.entries(derive)) {
    requirePure(spec.name, `derive.${name}`, of as never);
  }
  const windowing: Windowing = Object.freeze({
    where: (spec.where ?? null) as Windowing['where'],
    derive: Object.freeze({ ...derive }),
    aggregations: Object.freeze(aggregations),
    emit: spec.emit === undefined ? null : requireEmission(spec.name, spec.emit, aggregations),
  });
  return makeView(spec, schema, windowing) as never;
}

function requireEmission(
  view: string,
  { topic, mode }: Emission,
  aggregations: readonly AggregationSpec[],
): Emission {
  requireTopic(topic);
  if (mode !== 'final' && mode !== 'updates') {
    throw invalid(view, `emit.mode is "${String(mode)}"; it must be "final" or "updates"`);
  }
  if (!aggregations.some(({ window }) => CLOSED.has(window.kind))) {
    throw invalid(view, 'emit needs a tumbling, hopping or session window: no other is closed');
  }
  return Object.freeze({ topic, mode });
}

/** Windows that no row changes any more at some time. */
const CLOSED: ReadonlySet<string> = new Set(['tumbling', 'hopping', 'session']);

const NUMERIC: ReadonlySet<string> = new Set(['int32', 'int64', 'float32', 'float64']);
const NEEDS_NUMBERS: ReadonlySet<string> = new Set([
  'sum',
  'mean',
  'variancePopulation',
  'varianceSample',
  'stddevPopulation',
  'stddevSample',
  'skew',
  'kurtosis',
  'percentile',
  'decayedSum',
]);
const NEEDS_NO_COLUMN: ReadonlySet<string> = new Set(['count', 'decayedCount', 'timeSinceLast']);

function toSpec(view: string, input: AggregationInput, columns: Schema): AggregationSpec {
  const fn = typeof input.function === 'string' ? plainFunction(input.function) : input.function;
  if (typeof fn === 'string') throw invalid(view, fn);
  const column = input.column ?? null;
  const feature =
    input.name ?? [column, fn.name, input.window.label].filter((part) => part !== null).join('_');
  const label = `aggregation "${feature}"`;
  const type = column === null ? null : (columns[column] ?? null);
  if (column !== null && type === null) {
    throw invalid(
      view,
      `${label} reads the column "${column}", which is neither in the source nor derived`,
    );
  }
  if (column === null && !NEEDS_NO_COLUMN.has(fn.name))
    throw invalid(view, `${label} names no column`);
  if (NEEDS_NUMBERS.has(fn.name) && !NUMERIC.has(type as string)) {
    throw invalid(view, `${label} needs numbers, but "${column}" is ${type}`);
  }
  if ((fn.name === 'any' || fn.name === 'all') && type !== 'bool') {
    throw invalid(view, `${label} needs a bool, but "${column}" is ${type}`);
  }
  if (type !== null && (type === 'json' || type.endsWith('[]')) && !NEEDS_NO_COLUMN.has(fn.name)) {
    throw invalid(view, `${label} cannot read "${column}": ${type} values have no order`);
  }
  requireParams(view, label, fn);
  requireFeatureName(view, label, feature);
  return Object.freeze({
    column,
    function: fn,
    window: input.window,
    feature,
    outputType: outputTypeOf(fn.name, type),
  });
}

function requireParams(view: string, label: string, fn: AggregationFunction): void {
  const { p, accuracy, precision, halfLifeUs } = fn.params;
  if (p !== undefined && !(p >= 0 && p <= 1))
    throw invalid(view, `${label}: p is ${p}, not 0 to 1`);
  if (accuracy !== undefined && !(accuracy >= 1e-4 && accuracy < 1)) {
    throw invalid(view, `${label}: accuracy is ${accuracy}, not 0.0001 to 1`);
  }
  if (
    precision !== undefined &&
    !(Number.isInteger(precision) && precision >= 4 && precision <= 16)
  ) {
    throw invalid(view, `${label}: precision is ${precision}, not 4 to 16`);
  }
  if (halfLifeUs !== undefined && halfLifeUs <= 0) throw invalid(view, `${label}: no half-life`);
}

function requireFeatureName(view: string, label: string, feature: string): void {
  try {
    requireName('feature', feature);
  } catch (cause) {
    throw new FreshetError('DEFINITION_INVALID', `view "${view}": ${label} has no valid name`, {
      cause,
      where: { view },
      next: 'Give the aggregation a name of letters, digits and single underscores.',
    });
  }
}

function invalid(view: string, what: string): FreshetError {
  return new FreshetError('DEFINITION_INVALID', `view "${view}": ${what}`, { where: { view } });
}

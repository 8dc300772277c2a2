import type { FieldType } from '../../core/field-type.ts';
import type { AggregationSpec } from '../../definition/index.ts';
import type { Aggregator } from '../aggregator.ts';
import { allAggregator, anyAggregator, countAggregator } from './count.ts';
import { decayedCountAggregator, decayedSumAggregator } from './decayed.ts';
import {
  approxDistinctCountAggregator,
  distinctCountAggregator,
  histogramAggregator,
} from './distinct.ts';
import { maxAggregator, minAggregator } from './extreme.ts';
import {
  kurtosisAggregator,
  skewAggregator,
  stddevPopulationAggregator,
  stddevSampleAggregator,
  variancePopulationAggregator,
  varianceSampleAggregator,
} from './moments.ts';
import {
  firstAggregator,
  firstNAggregator,
  lastAggregator,
  lastNAggregator,
  topNAggregator,
} from './ordered.ts';
import { percentileAggregator } from './percentile.ts';
import { meanAggregator, sumAggregator } from './sum.ts';
import { timeSinceLastAggregator } from './time-since-last.ts';

type Make = (type: FieldType, params: Readonly<Record<string, number>>) => Aggregator<never>;
type Params = Readonly<Record<string, number>>;

const fixed =
  (aggregator: unknown): Make =>
  () =>
    aggregator as Aggregator<never>;
const param = (params: Params, name: string): number => params[name] as number;

const TABLE: Readonly<Record<AggregationSpec['function']['name'], Make>> = {
  count: fixed(countAggregator),
  sum: sumAggregator,
  mean: meanAggregator,
  min: minAggregator,
  max: maxAggregator,
  first: firstAggregator,
  last: lastAggregator,
  firstN: (type, params) => firstNAggregator(type, param(params, 'n')),
  lastN: (type, params) => lastNAggregator(type, param(params, 'n')),
  variancePopulation: fixed(variancePopulationAggregator),
  varianceSample: fixed(varianceSampleAggregator),
  stddevPopulation: fixed(stddevPopulationAggregator),
  stddevSample: fixed(stddevSampleAggregator),
  skew: fixed(skewAggregator),
  kurtosis: fixed(kurtosisAggregator),
  any: fixed(anyAggregator),
  all: fixed(allAggregator),
  distinctCount: (type, params) => distinctCountAggregator(type, param(params, 'bound')),
  approxDistinctCount: (type, params) =>
    approxDistinctCountAggregator(type, param(params, 'precision')),
  percentile: (_type, params) =>
    percentileAggregator(param(params, 'p'), param(params, 'accuracy')),
  histogram: (type, params) => histogramAggregator(type, param(params, 'k')),
  topN: (type, params) => topNAggregator(type, param(params, 'n')),
  decayedSum: (_type, params) => decayedSumAggregator(param(params, 'halfLifeUs')),
  decayedCount: (_type, params) => decayedCountAggregator(param(params, 'halfLifeUs')),
  timeSinceLast: fixed(timeSinceLastAggregator),
};

/** The code of an aggregation over a column of the given type (any type where it reads none). */
export function createAggregator(
  fn: AggregationSpec['function'],
  columnType: FieldType,
): Aggregator {
  return TABLE[fn.name](columnType, fn.params) as unknown as Aggregator;
}

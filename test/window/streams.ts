/** Generated streams for windows: out of order, with ties, late rows, nulls, pauses, over clock changes. */
import { isDeepStrictEqual } from 'node:util';
import type { FieldValue } from '../../src/core/field-type.ts';
import { NO_CREATED_TIME_US, RANK_STREAM } from '../../src/core/row-order.ts';
import {
  type AggregationSpec,
  all,
  any,
  approxDistinctCount,
  count,
  decayedCount,
  decayedSum,
  distinctCount,
  entity,
  type FeatureView,
  first,
  firstN,
  histogram,
  hopping,
  kurtosis,
  last,
  lastN,
  lastRows,
  lifetime,
  max,
  mean,
  min,
  percentile,
  session,
  skew,
  sliding,
  stddevPopulation,
  stddevSample,
  sum,
  timeSinceLast,
  topicSource,
  topN,
  tumbling,
  variancePopulation,
  varianceSample,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import type { NaiveWindowRow } from '../oracle/naive-windows.ts';

export const COLUMNS = {
  ts: 'timestamp',
  made: 'timestamp',
  key: 'string',
  n: 'int32',
  x: 'float64',
  s: 'string',
  ok: 'bool',
} as const;

const OUT_OF_ORDER_MS = 2_000;
export const GRACE_US = 5_000_000;

const WINDOWS = {
  tumbling: tumbling('10s'),
  shifted: tumbling('10s', { offset: '3s' }),
  open: tumbling('10s', { current: true }),
  localDay: tumbling('1d', { offset: '23h' }),
  hopping: hopping('30s', '10s'),
  uneven: hopping('25s', '10s', { current: true }),
  sliding: sliding('60s'),
  odd: sliding('60s', { every: '7s' }),
  day: sliding('1d'),
  exact: sliding('20s', { exact: true }),
  exactSteps: sliding('50s', { exact: true, every: '5s' }),
  session: session('4s'),
  lifetime: lifetime(),
  lastRows: lastRows(3),
} as const;

/** Each function with the columns that it reads here; null: none. */
const FUNCTIONS: readonly [
  AggregationSpec['function'],
  readonly (keyof typeof COLUMNS | null)[],
][] = [
  [count(), [null, 'x']],
  [sum(), ['n', 'x']],
  [mean(), ['n', 'x']],
  [min(), ['x', 's']],
  [max(), ['x', 's']],
  [first(), ['s']],
  [last(), ['s', 'n']],
  [firstN(3), ['n']],
  [lastN(3), ['s']],
  [topN(2), ['x']],
  [variancePopulation(), ['x']],
  [varianceSample(), ['n']],
  [stddevPopulation(), ['x']],
  [stddevSample(), ['x']],
  [skew(), ['x']],
  [kurtosis(), ['x']],
  [any(), ['ok']],
  [all(), ['ok']],
  [distinctCount(4), ['s', 'n']],
  [approxDistinctCount(6), ['n']],
  [percentile(0.9), ['x']],
  [histogram(2), ['s']],
  [decayedSum('7s'), ['x']],
  [decayedCount('7s'), [null]],
  [timeSinceLast(), [null]],
];

/** A view with every window and every function. */
export function everyWindow(options: { readonly keyed: boolean; readonly partitions: number }) {
  const source = topicSource({
    name: 'events',
    topic: 'events',
    schema: COLUMNS,
    timestampField: 'ts',
    createdTimestampField: 'made',
    outOfOrderMs: OUT_OF_ORDER_MS,
    partitions: options.partitions,
    ...(options.keyed && { keyFields: ['key'] }),
  });
  const aggregations = Object.entries(WINDOWS).flatMap(([label, window]) =>
    FUNCTIONS.flatMap(([fn, columns]) =>
      columns.map((column) => ({
        function: fn,
        window,
        name: `${label}_${fn.name}_${column ?? 'rows'}`,
        ...(column !== null && { column }),
      })),
    ),
  );
  return windowedFeatureView({
    name: 'events',
    entities: [entity({ name: 'key', joinKeys: { key: 'string' } })],
    source,
    grace: '5s',
    aggregations: aggregations as never,
  }) as unknown as FeatureView;
}

export interface StreamRow {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly at: number;
  readonly made: number | null;
  readonly arrivalUs: number;
  readonly lateByUs: number;
  /** Stream time behind it, in its partition. */
  readonly streamTimeUs: number;
  readonly values: Readonly<Record<'n' | 'x' | 's' | 'ok', FieldValue>>;
}

export const KEYS = ['ann', 'bob', 'cem'];

/** The clocks of Berlin go forward at this time; event time does not care. */
const START_US = Date.parse('2025-03-30T00:59:30Z') * 1_000;

export interface StreamOptions {
  readonly seed: number;
  readonly count: number;
  readonly partitions?: number;
  /** The partition of a row; default any. */
  readonly partitionOf?: (key: string) => number;
}

/** Rows of all partitions in the order in which they arrive. */
export function generateStream(options: StreamOptions): StreamRow[] {
  const { seed, count: rowCount, partitions = 1, partitionOf } = options;
  const random = generator(seed);
  const upTo = (n: number): number => Math.floor(random() * n);
  const greatestUs = new Array<number>(partitions).fill(Number.NEGATIVE_INFINITY);
  const offsets = new Array<number>(partitions).fill(0);
  const rows: StreamRow[] = [];
  let nowUs = START_US;
  for (let i = 0; i < rowCount; i++) {
    const pause = random();
    nowUs += pause < 0.02 ? upTo(40_000) * 1_000_000 : pause < 0.1 ? upTo(30_000_000) : upTo(2e6);
    const key = KEYS[upTo(KEYS.length)] as string;
    const partition = partitionOf?.(key) ?? upTo(partitions);
    const at = timeOf(nowUs, greatestUs[partition] as number, random);
    greatestUs[partition] = Math.max(greatestUs[partition] as number, at);
    const streamTimeUs = (greatestUs[partition] as number) - OUT_OF_ORDER_MS * 1_000;
    rows.push({
      partition,
      offset: offsets[partition]!++,
      key,
      at,
      made: random() < 0.3 ? null : at + upTo(3),
      arrivalUs: nowUs + upTo(3e6),
      lateByUs: Math.max(0, streamTimeUs - at),
      streamTimeUs,
      values: {
        n: random() < 0.15 ? null : upTo(9) - 4,
        x: random() < 0.15 ? null : (random() - 0.5) * 10 ** upTo(9),
        s: random() < 0.15 ? null : 'abcdef'.charAt(upTo(6)),
        ok: random() < 0.3 ? null : random() < 0.7,
      },
    });
  }
  return rows;
}

/** Mostly near now, at times far behind, and at times within a microsecond of being late. */
function timeOf(nowUs: number, greatestUs: number, random: () => number): number {
  const upTo = (n: number): number => Math.floor(random() * n);
  const behind = random();
  if (behind < 0.12 && greatestUs > 0) {
    const graceUs = OUT_OF_ORDER_MS * 1_000 + GRACE_US;
    return greatestUs - graceUs - upTo(2) * WINDOWS.session.gapUs + upTo(3) - 1;
  }
  const behindUs =
    behind < 0.55 ? 0 : behind < 0.9 ? upTo(6e6) : behind < 0.98 ? upTo(2e7) : upTo(4e9);
  const wholeUs = random() < 0.5 ? 1_000_000 : 1;
  return Math.floor((nowUs - behindUs) / wholeUs) * wholeUs;
}

export function naiveRow(row: StreamRow): NaiveWindowRow {
  return {
    order: {
      eventTimeUs: row.at,
      createdTimeUs: row.made ?? NO_CREATED_TIME_US,
      rank: RANK_STREAM,
      partition: row.partition,
      offset: row.offset,
    },
    lateByUs: row.lateByUs,
    values: row.values,
  };
}

/** Fields as a batch of rows has them. */
export function fieldsOf({ at, made, key, offset, values }: StreamRow) {
  return { at, ts: at, made, key, offset, ...(made !== null && { created: made }), ...values };
}

/** Features that differ, `[got, want]` by name; empty when none does. Null: nothing counts. */
export function differing(
  got: Readonly<Record<string, unknown>> | null,
  want: Readonly<Record<string, FieldValue>> | null,
): Record<string, unknown> {
  if (got === null || want === null) return got === want ? {} : { got, want };
  return Object.fromEntries(
    Object.entries(want)
      .filter(([feature, value]) => !isDeepStrictEqual(got[feature], value))
      .map(([feature, value]) => [feature, [got[feature], value]]),
  );
}

/** Mulberry32: small, and the same everywhere. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FRESHET_SEED, or some fixed ones; the seed of a failure is in its message. */
export function seeds(count: number): number[] {
  const given = process.env['FRESHET_SEED'];
  return given === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(given)];
}

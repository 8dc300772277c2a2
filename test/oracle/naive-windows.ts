/**
 * The obvious value of a window: all rows are kept, and each read looks at every one of them and
 * asks whether it counts. Slow, and for that easy to believe.
 */
import type { FieldType, FieldValue, Schema } from '../../src/core/field-type.ts';
import { makeColumn } from '../../src/core/row-batch.ts';
import { compareRowOrder, type RowOrder } from '../../src/core/row-order.ts';
import type { AggregationSpec, WindowSpec } from '../../src/definition/index.ts';
import { createAggregator } from '../../src/window/aggregators/index.ts';
import { naiveAggregation } from './naive-aggregation.ts';

export interface NaiveWindowRow {
  readonly order: RowOrder;
  /** How far it lay behind the stream time it met, microseconds. */
  readonly lateByUs: number;
  readonly values: Readonly<Record<string, FieldValue>>;
}

/**
 * The features of one entity at q from all rows that a reader has, those ahead of q included. Null
 * when no row at or before q counts in any window.
 */
export function naiveWindows(
  specs: readonly AggregationSpec[],
  columns: Schema,
  rows: readonly NaiveWindowRow[],
  graceUs: number,
  atUs: number,
): Record<string, FieldValue> | null {
  const windows = [...new Set(specs.map(({ window }) => window))];
  const counting = rows.filter((row) => windows.some((w) => countsSomewhere(w, row, graceUs)));
  if (!counting.some(({ order }) => order.eventTimeUs <= atUs)) return null;
  const isAhead = counting.some(({ order }) => order.eventTimeUs > atUs);
  const features: Record<string, FieldValue> = {};
  for (const window of windows) {
    const inside = rowsInWindow(window, rows, graceUs, atUs, isAhead);
    for (const spec of specs) {
      if (spec.window === window) features[spec.feature] = naiveValue(spec, columns, inside, atUs);
    }
  }
  return features;
}

/** The rows that count in a window at q. `isAhead`: the reader has rows behind q in time. */
function rowsInWindow(
  window: WindowSpec,
  rows: readonly NaiveWindowRow[],
  graceUs: number,
  atUs: number,
  isAhead: boolean,
): NaiveWindowRow[] {
  const inTime = rows.filter(({ lateByUs }) => lateByUs <= graceUs);
  const between = (fromUs: number, toUs: number): NaiveWindowRow[] =>
    inTime.filter(({ order: { eventTimeUs: t } }) => t > fromUs && t <= toUs);
  switch (window.kind) {
    case 'sliding': {
      const { sizeUs, everyUs, exact } = window;
      if (exact) return between(atUs - sizeUs, atUs);
      // A stepped window cannot leave rows of its last tile out: it is read at that tile's edge.
      const headUs = isAhead ? atUs - modulo(atUs, everyUs) : atUs;
      const tailUs = headUs - sizeUs - modulo(headUs - sizeUs, everyUs);
      return between(tailUs, headUs);
    }
    case 'tumbling':
    case 'hopping': {
      const { sizeUs, everyUs, offsetUs, current } = window;
      const latestStartUs = current ? atUs : atUs - sizeUs;
      const startUs = latestStartUs - modulo(latestStartUs - offsetUs, everyUs);
      return rows.filter((row) => countsFrom(startUs, sizeUs, row, graceUs));
    }
    case 'session': {
      const sessions = sessionsOf(rows, window.gapUs, graceUs);
      return sessions.findLast((rows) => (rows[0]?.order.eventTimeUs ?? 0) <= atUs) ?? [];
    }
    case 'lifetime':
      return inTime;
    case 'lastRows': {
      const sorted = [...inTime].sort((a, b) => compareRowOrder(a.order, b.order));
      return sorted.slice(-window.count).filter(({ order }) => order.eventTimeUs <= atUs);
    }
  }
}

/** Runs of rows no two neighbours of which are further apart than the gap, oldest first. */
function sessionsOf(
  rows: readonly NaiveWindowRow[],
  gapUs: number,
  graceUs: number,
): NaiveWindowRow[][] {
  // Alone it would be a session that ends at its time and closes a gap later.
  const counting = rows.filter(({ lateByUs }) => lateByUs <= graceUs + gapUs);
  const sessions: NaiveWindowRow[][] = [];
  for (const row of [...counting].sort((a, b) => compareRowOrder(a.order, b.order))) {
    const last = sessions.at(-1);
    const lastUs = last?.at(-1)?.order.eventTimeUs ?? Number.NEGATIVE_INFINITY;
    if (last !== undefined && row.order.eventTimeUs - lastUs <= gapUs) last.push(row);
    else sessions.push([row]);
  }
  return sessions;
}

/** Whether a row counts in the window [start, start + size): it was open, or the row was not late. */
function countsFrom(
  startUs: number,
  sizeUs: number,
  { order: { eventTimeUs }, lateByUs }: NaiveWindowRow,
  graceUs: number,
): boolean {
  if (eventTimeUs < startUs || eventTimeUs >= startUs + sizeUs) return false;
  const streamTimeUs = eventTimeUs + lateByUs;
  return lateByUs <= graceUs || startUs + sizeUs > streamTimeUs - graceUs;
}

function countsSomewhere(window: WindowSpec, row: NaiveWindowRow, graceUs: number): boolean {
  if (row.lateByUs <= graceUs) return true;
  if (window.kind === 'session') return row.lateByUs <= graceUs + window.gapUs;
  if (window.kind !== 'tumbling' && window.kind !== 'hopping') return false;
  // Its last window is the last to close.
  const { everyUs, offsetUs, sizeUs } = window;
  const t = row.order.eventTimeUs;
  return countsFrom(t - modulo(t - offsetUs, everyUs), sizeUs, row, graceUs);
}

function naiveValue(
  { column, function: fn }: AggregationSpec,
  columns: Schema,
  rows: readonly NaiveWindowRow[],
  atUs: number,
): FieldValue {
  const type = column === null ? 'int32' : (columns[column] as FieldType);
  const values = rows.map(({ order, values }) => ({
    order,
    value: column === null ? 1 : (values[column] ?? null),
  }));
  if (type === 'string' && (fn.name === 'min' || fn.name === 'max')) {
    const texts = values.flatMap(({ value }) => (value === null ? [] : [value as string])).sort();
    return texts.at(fn.name === 'min' ? 0 : -1) ?? null;
  }
  if (!HAS_NO_NAIVE.has(fn.name)) {
    const whole = type === 'int32' || type === 'int64';
    return naiveAggregation(fn.name, fn.params, whole)(values, atUs);
  }
  // Which rows is the question here; what is made of them, `aggregators.test.ts` asks.
  const aggregator = createAggregator(fn, type);
  const ir = aggregator.create();
  for (const { order, value } of values) {
    const cell = makeColumn(type, 1);
    if (value !== null) {
      cell.valid[0] = 1;
      (cell.values as FieldValue[])[0] = type === 'bool' ? Number(value) : value;
    }
    aggregator.update(ir, column === null ? null : cell, rowAt(order), 0);
  }
  return aggregator.finalize(ir, atUs);
}

function rowAt(order: RowOrder): Parameters<ReturnType<typeof createAggregator>['update']>[2] {
  return {
    eventTimesUs: Float64Array.of(order.eventTimeUs),
    createdTimesUs: Float64Array.of(order.createdTimeUs),
    offsets: Float64Array.of(order.offset),
    rank: order.rank,
    partition: order.partition,
  };
}

const HAS_NO_NAIVE: ReadonlySet<string> = new Set([
  'stddevPopulation',
  'stddevSample',
  'skew',
  'kurtosis',
  'any',
  'all',
  'approxDistinctCount',
  'percentile',
  'histogram',
  'decayedSum',
  'decayedCount',
]);

function modulo(a: number, b: number): number {
  return ((a % b) + b) % b;
}

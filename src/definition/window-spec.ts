import { type Duration, formatDuration, parseDurationUs } from '../core/time.ts';
import { FreshetError } from '../errors.ts';

/**
 * Which rows an aggregation counts at query time q. Sizes are microseconds; `label` names the
 * window in feature names.
 */
export type WindowSpec<L extends string = string> =
  | TumblingWindow<L>
  | HoppingWindow<L>
  | SlidingWindow<L>
  | SessionWindow<L>
  | LifetimeWindow<L>
  | LastRowsWindow<L>;

/** Aligned windows [start, end) that follow one another; the value at q is the newest that has ended. */
export interface TumblingWindow<L extends string = string> extends AlignedWindow<L> {
  readonly kind: 'tumbling';
}

/** Aligned windows [start, end) that begin every `everyUs` and overlap. */
export interface HoppingWindow<L extends string = string> extends AlignedWindow<L> {
  readonly kind: 'hopping';
}

interface AlignedWindow<L extends string> {
  readonly label: L;
  readonly sizeUs: number;
  readonly everyUs: number;
  /** Shifts the alignment, which is otherwise to 1970. */
  readonly offsetUs: number;
  /** The window that is open at q instead of the newest that has ended. */
  readonly current: boolean;
}

/**
 * Rows with `q - size < event time <= q`. Stepped: the tail moves by `everyUs`, so that a value
 * covers up to `sizeUs + everyUs`. Exact: the tail is exact to the microsecond, edge rows are kept.
 */
export interface SlidingWindow<L extends string = string> {
  readonly kind: 'sliding';
  readonly label: L;
  readonly sizeUs: number;
  readonly everyUs: number;
  readonly exact: boolean;
}

/** The newest run of rows with a row at or before q, no two neighbours further apart than `gapUs`. */
export interface SessionWindow<L extends string = string> {
  readonly kind: 'session';
  readonly label: L;
  readonly gapUs: number;
}

/** Every row up to q. */
export interface LifetimeWindow<L extends string = string> {
  readonly kind: 'lifetime';
  readonly label: L;
}

/** The newest `count` rows up to q. */
export interface LastRowsWindow<L extends string = string> {
  readonly kind: 'lastRows';
  readonly label: L;
  readonly count: number;
}

export interface AlignedOptions {
  /** Default 0s. */
  readonly offset?: Duration;
  /** Default false. */
  readonly current?: boolean;
}

export function tumbling<const D extends Duration>(
  size: D,
  options: AlignedOptions = {},
): TumblingWindow<`tumbling_${D}`> {
  const sizeUs = positiveUs('tumbling', size);
  const aligned = alignment(options, sizeUs);
  return Object.freeze({
    kind: 'tumbling',
    label: `tumbling_${size}`,
    sizeUs,
    everyUs: sizeUs,
    ...aligned,
  });
}

/** @throws FreshetError DEFINITION_INVALID when `every` is longer than `size` */
export function hopping<const D extends Duration, const E extends Duration>(
  size: D,
  every: E,
  options: AlignedOptions = {},
): HoppingWindow<`hopping_${D}_${E}`> {
  const sizeUs = positiveUs('hopping', size);
  const everyUs = positiveUs('hopping', every);
  if (everyUs > sizeUs) {
    throw invalid(`hopping window of ${size} begins every ${every}: rows between windows are lost`);
  }
  const aligned = alignment(options, everyUs);
  return Object.freeze({
    kind: 'hopping',
    label: `hopping_${size}_${every}`,
    sizeUs,
    everyUs,
    ...aligned,
  });
}

/**
 * @param options.every how the tail steps; default about a sixtieth of the size, rounded to 1s, 5s,
 * 15s, 1m, 5m, 15m, 1h, 6h or 1d
 */
export function sliding<const D extends Duration>(
  size: D,
  options: { readonly every?: Duration; readonly exact?: boolean } = {},
): SlidingWindow<D> {
  const sizeUs = positiveUs('sliding', size);
  const everyUs = options.every ? positiveUs('sliding', options.every) : defaultEveryUs(sizeUs);
  if (everyUs > sizeUs)
    throw invalid(`sliding window of ${size} steps by ${formatDuration(everyUs)}`);
  return Object.freeze({
    kind: 'sliding',
    label: size,
    sizeUs,
    everyUs,
    exact: options.exact ?? false,
  });
}

export function session<const D extends Duration>(gap: D): SessionWindow<`session_${D}`> {
  return Object.freeze({
    kind: 'session',
    label: `session_${gap}`,
    gapUs: positiveUs('session', gap),
  });
}

export function lifetime(): LifetimeWindow<'lifetime'> {
  return Object.freeze({ kind: 'lifetime', label: 'lifetime' });
}

/** The most rows a lastRows window keeps for an entity. */
const LAST_ROWS_MAX = 10_000;

export function lastRows<const C extends number>(count: C): LastRowsWindow<`last_${C}`> {
  if (!Number.isSafeInteger(count) || count < 1 || count > LAST_ROWS_MAX) {
    throw invalid(`lastRows(${count}): the count is a whole number, 1 to ${LAST_ROWS_MAX}`);
  }
  return Object.freeze({ kind: 'lastRows', label: `last_${count}`, count });
}

const STEPS: readonly Duration[] = ['1s', '5s', '15s', '1m', '5m', '15m', '1h', '6h', '1d'];

/** The step nearest to a sixtieth of the size by ratio, and never longer than the size. */
function defaultEveryUs(sizeUs: number): number {
  const wantedUs = sizeUs / 60;
  const distance = (us: number): number => Math.abs(Math.log(us / wantedUs));
  const steps = STEPS.map(parseDurationUs).filter((us) => us <= sizeUs);
  if (steps.length === 0) return sizeUs;
  return steps.reduce((best, us) => (distance(us) < distance(best) ? us : best));
}

function alignment(
  options: AlignedOptions,
  everyUs: number,
): { offsetUs: number; current: boolean } {
  const offsetUs = options.offset ? parseDurationUs(options.offset) % everyUs : 0;
  return { offsetUs, current: options.current ?? false };
}

function positiveUs(kind: string, size: Duration): number {
  const us = parseDurationUs(size);
  if (us <= 0) throw invalid(`${kind} window of ${size} holds nothing`);
  return us;
}

function invalid(what: string): FreshetError {
  return new FreshetError('DEFINITION_INVALID', what);
}

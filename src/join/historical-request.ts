import type { FieldValue } from '../core/field-type.ts';
import type { TimestampInput } from '../core/time.ts';
import type { EntityRowOf, FeatureVectorOf, Readable } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { FeatureRequest } from '../transform/index.ts';
import type { EntityRows } from './entity-rows.ts';
import type { JoinRules, JoinStrategy, KnownAt, LateRows } from './join-plan.ts';
import type { KnownAtFiles, KnownAtOffsets } from './view-rows.ts';

interface CommonRequest<FullNames extends boolean> {
  /** Name the features `alias__feature`. Default false. */
  readonly fullFeatureNames?: FullNames;
  /** Only rows before the label's time, not at it: no label leaks into its own features. Default false. */
  readonly strictlyBefore?: boolean;
  /** `arrival`: only rows that had also arrived by the label's time. Default `event`. */
  readonly knownAt?: KnownAt;
  /**
   * By topic, an offset of each partition: only rows below it, the values as they were known when the
   * engine stood there. Default: all rows that are published.
   */
  readonly knownAtOffsets?: KnownAtOffsets;
  /** By Parquet source, the files whose rows are seen, as the metadata of an answer names them. Default: all. */
  readonly knownAtFiles?: KnownAtFiles;
  /** Rows further behind stream time than the view's grace. Default `served`. */
  readonly late?: LateRows;
  /** Without entity rows: the range of event time whose rows are the labels, both ends included. */
  readonly startTime?: TimestampInput;
  readonly endTime?: TimestampInput;
  /** Overrules the plan of every view; the answer is the same. Default: chosen by estimated cost. */
  readonly joinStrategy?: JoinStrategy;
}

/** A request by definitions, which types the answer: exactly one of `features` and `service`. */
export interface HistoricalRequest<
  R extends Readable,
  FullNames extends boolean = false,
  E extends EntityRowOf<R> = EntityRowOf<R>,
> extends CommonRequest<FullNames> {
  readonly features?: R;
  readonly service?: R;
  /** Join keys, request data, `event_timestamp`, and what else is to stay beside the features. */
  readonly entityRows?: EntityRows<E>;
}

/** A request by names; the columns of the answer are known at run time only. */
export interface NamedHistoricalRequest extends CommonRequest<boolean> {
  /** `view:feature`. */
  readonly features?: readonly string[];
  readonly service?: string;
  readonly entityRows?: EntityRows;
}

/** One row of the answer: the columns of its entity row, then the features. Timestamps are microseconds. */
export type HistoricalRow<
  R extends Readable,
  FullNames extends boolean = false,
  E extends object = EntityRowOf<R>,
> = { readonly [K in keyof E]: FieldValue } & FeatureVectorOf<R, FullNames>;

/** Either request, as the reader takes it. */
export interface AnyHistoricalRequest extends CommonRequest<boolean>, FeatureRequest {
  readonly fullFeatureNames?: boolean;
  readonly entityRows?: EntityRows;
}

/** @throws FreshetError INVALID_ARGUMENT */
export function rulesOf(request: AnyHistoricalRequest): JoinRules {
  return {
    strictlyBefore: request.strictlyBefore ?? false,
    knownAt: oneOf('knownAt', request.knownAt, ['event', 'arrival']),
    late: oneOf('late', request.late, ['served', 'exclude', 'include']),
  };
}

/** @throws FreshetError INVALID_ARGUMENT */
export function requireRowsOrRange(request: AnyHistoricalRequest): void {
  const { entityRows, startTime, endTime } = request;
  if (entityRows === undefined || (startTime === undefined && endTime === undefined)) return;
  throw new FreshetError('INVALID_ARGUMENT', 'entity rows and a range of time were both given', {
    next: 'Give entity rows, or startTime and endTime for the rows of all entities.',
  });
}

/** For callers without types: a wrong word is refused and not taken for the default. */
function oneOf<T extends string>(
  option: string,
  value: T | undefined,
  known: readonly [T, ...T[]],
): T {
  if (value === undefined) return known[0];
  if (known.includes(value)) return value;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `${option} is "${value}"; it must be ${known.map((word) => `"${word}"`).join(' or ')}`,
  );
}

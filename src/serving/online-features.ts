import { toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue, JsonValue } from '../core/field-type.ts';
import { remembered } from '../core/remembered.ts';
import { formatTimestampUs } from '../core/time.ts';
import type { DegradedSource } from './degraded-source.ts';

/**
 * What is known of one value:
 * `PRESENT` a value; `NULL_VALUE` the row is there and its value is null; `NOT_FOUND` there is no
 * row, or the row has no such feature; `OUTSIDE_MAX_AGE` the row is older than the view's TTL, and
 * comes with its value all the same.
 */
export type FeatureStatus = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE';

/** How current the answer of one view is for one entity row. */
export interface Receipt {
  readonly view: string;
  /** Fingerprint of the view's definition. */
  readonly fingerprint: string;
  /** Null for a view without a stream, and for a row of batch history. */
  readonly topic: string | null;
  /** Null when the row may be in any partition and there is none. */
  readonly partition: number | null;
  /** Everything below this offset was in the store when the row was read. */
  readonly appliedOffset: number | null;
  readonly streamTimeUs: number | null;
  /** The time of the read less the event time of the row, microseconds; null where there is no row. */
  readonly freshnessUs: number | null;
  /** The time that the values speak of: that of the read, or the edge of a window's tile before it. */
  readonly effectiveAtUs: number;
}

/** One column of an answer, in the order of the entity rows. */
export interface AnswerColumn {
  readonly name: string;
  readonly type: FieldType;
  readonly values: readonly FieldValue[];
}

export interface FeatureColumn extends AnswerColumn {
  readonly statuses: readonly FeatureStatus[];
  /** Microseconds; null where there is no row. One array for the features of one view. */
  readonly eventTimesUs: readonly (number | null)[];
}

type ByName<T> = Readonly<Record<string, T>>;

/** Columns by name. */
export interface OnlineColumns {
  /** Join keys, then features in the order of the request. */
  readonly values: ByName<readonly FieldValue[]>;
  readonly statuses: ByName<readonly FeatureStatus[]>;
  /** Microseconds. */
  readonly eventTimestamps: ByName<readonly (number | null)[]>;
}

/** What is known of an answer as a whole. */
interface AnswerNotes<Receipts> {
  readonly receipts: Receipts | null;
  readonly readAtUs: number;
  readonly degraded: readonly DegradedSource[];
}

/** The answer to one online request, in the order of its entity rows. */
export class OnlineFeatures<Row, Name extends string = string> {
  readonly #count: number;
  readonly #keys: readonly AnswerColumn[];
  readonly #features: readonly FeatureColumn[];
  #rows: readonly Row[] | null = null;
  /** By alias of the views read, a receipt for each entity row; null unless asked for. */
  readonly receipts: ByName<readonly Receipt[]> | null;
  /** The time of the read, microseconds: that of the request, or the clock's. */
  readonly readAtUs: number;
  /** Sources whose values may lack rows, as far as this process knows; empty when all is well. */
  readonly degraded: readonly DegradedSource[];

  constructor(
    count: number,
    keys: readonly AnswerColumn[],
    features: readonly FeatureColumn[],
    { receipts, readAtUs, degraded }: AnswerNotes<ByName<readonly Receipt[]>>,
  ) {
    this.#count = count;
    this.#keys = keys;
    this.#features = features;
    this.receipts = receipts;
    this.readAtUs = readAtUs;
    this.degraded = degraded;
  }

  /** The join keys, with their types. */
  get keys(): readonly AnswerColumn[] {
    return this.#keys;
  }

  /** The features in the order of the request, with their types. */
  get features(): readonly FeatureColumn[] {
    return this.#features;
  }

  /** Join keys and features of each entity row. */
  get rows(): readonly Row[] {
    this.#rows ??= this.#objects([...this.#keys, ...this.#features], ({ values }) => values);
    return this.#rows;
  }

  /** Status of each feature of each entity row. */
  get statuses(): readonly Readonly<Record<Name, FeatureStatus>>[] {
    return this.#objects(this.#features, (column) => column.statuses);
  }

  /** Event time of each feature of each entity row, microseconds. */
  get eventTimestamps(): readonly Readonly<Record<Name, number | null>>[] {
    return this.#objects(this.#features, (column) => column.eventTimesUs);
  }

  /**
   * The time of the read less the event time of each feature of each entity row, microseconds; null
   * where there is no row. Of a feature of an on-demand view: by the newest row it was computed from.
   */
  get freshnessUs(): readonly Readonly<Record<Name, number | null>>[] {
    const agesOf = remembered((timesUs: readonly (number | null)[]) => this.#ages(timesUs));
    return this.#objects(this.#features, ({ eventTimesUs }) => agesOf(eventTimesUs));
  }

  toColumns(): OnlineColumns {
    return {
      values: byName([...this.#keys, ...this.#features], ({ values }) => values),
      statuses: byName(this.#features, ({ statuses }) => statuses),
      eventTimestamps: byName(this.#features, ({ eventTimesUs }) => eventTimesUs),
    };
  }

  /** For JSON: rows, statuses, event times (ISO 8601) and freshness by name; `degraded` where it is. */
  toJSON(): Record<string, unknown> {
    const columns = [...this.#keys, ...this.#features];
    const json = columns.map(({ name, type, values }) => ({
      name,
      values: values.map((value): JsonValue => toJsonValue(type, value)),
    }));
    const textsOf = remembered(timeTexts);
    const times = this.#features.map(({ name, eventTimesUs }) => ({
      name,
      values: textsOf(eventTimesUs),
    }));
    return {
      rows: this.#objects(json, ({ values }) => values),
      statuses: this.statuses,
      eventTimestamps: this.#objects(times, ({ values }) => values),
      freshnessUs: this.freshnessUs,
      ...(this.degraded.length > 0 && { degraded: this.degraded }),
      ...(this.receipts !== null && { receipts: this.receipts }),
    };
  }

  #ages(eventTimesUs: readonly (number | null)[]): (number | null)[] {
    return eventTimesUs.map((us) => (us === null ? null : this.readAtUs - us));
  }

  #objects<C extends { readonly name: string }, T>(
    columns: readonly C[],
    valuesOf: (column: C) => readonly unknown[],
  ): readonly T[] {
    const lists = columns.map(valuesOf);
    return Array.from({ length: this.#count }, (_, i) => {
      const object: Record<string, unknown> = {};
      for (let c = 0; c < columns.length; c++) {
        object[(columns[c] as C).name] = (lists[c] as readonly unknown[])[i];
      }
      return object as T;
    });
  }
}

function timeTexts(timesUs: readonly (number | null)[]): (string | null)[] {
  return timesUs.map((us) => (us === null ? null : formatTimestampUs(us)));
}

function byName<C extends { readonly name: string }, T>(
  columns: readonly C[],
  valuesOf: (column: C) => T,
): ByName<T> {
  return Object.fromEntries(columns.map((column) => [column.name, valuesOf(column)]));
}

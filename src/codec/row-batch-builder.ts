/** What both formats share: columns filled row by row, and the checks every row must pass. */

import type { FieldType, FieldValue } from '../core/field-type.ts';
import { ROW_BYTES_MAX } from '../core/limits.ts';
import {
  type Column,
  type ColumnValues,
  makeColumn,
  type RowBatch,
  type RowLayout,
  rowLayout,
} from '../core/row-batch.ts';
import { NO_CREATED_TIME_US } from '../core/row-order.ts';
import { US_PER_MS } from '../core/time.ts';
import type { TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { LogBatch } from '../log/index.ts';
import type { DecodedBatch, Reject } from './row-codec.ts';
import { RowError } from './row-error.ts';

/** The checks of one source, made once. */
export interface RowRules {
  readonly source: string;
  readonly layout: RowLayout;
  /** Stores a value that is not null; one per column. */
  readonly puts: readonly ColumnPut[];
  /** Columns that may not be null: the join keys of the views that read the source. */
  readonly required: readonly number[];
  readonly timestamp: number;
  /** -1 where the source has none. */
  readonly created: number;
  /** Timestamps but the event time. */
  readonly otherTimestamps: readonly number[];
  readonly maxAheadUs: number;
  readonly rowBytesMax: number;
}

export type ColumnPut = (values: ColumnValues, row: number, value: FieldValue) => void;

export interface RowRulesOptions {
  readonly source: TopicSource;
  /** Join keys of the views that read the source; a row without one is a reject. */
  readonly requiredFields: readonly string[];
  /** Default 1 MiB. */
  readonly rowBytesMax?: number;
}

/** @throws FreshetError INVALID_ARGUMENT for a required field that the source does not have */
export function makeRowRules(options: RowRulesOptions): RowRules {
  const { source } = options;
  const layout = rowLayout(source.schema);
  const indexOf = (name: string): number => {
    const index = layout.index.get(name);
    if (index !== undefined) return index;
    throw new FreshetError('INVALID_ARGUMENT', `source "${source.name}" has no field "${name}"`, {
      where: { source: source.name },
    });
  };
  const timestamp = indexOf(source.timestampField);
  return {
    source: source.name,
    layout,
    puts: layout.types.map(columnPut),
    required: options.requiredFields.map(indexOf),
    timestamp,
    created: source.createdTimestampField === null ? -1 : indexOf(source.createdTimestampField),
    otherTimestamps: [...layout.types.keys()].filter(
      (column) => layout.types[column] === 'timestamp' && column !== timestamp,
    ),
    maxAheadUs: source.maxAheadMs * US_PER_MS,
    rowBytesMax: options.rowBytesMax ?? ROW_BYTES_MAX,
  };
}

/** What a record is put into, field by field. */
export interface RowTarget {
  /** Sets a field of the current row; a field that is never set is null. */
  set(columnIndex: number, value: FieldValue): void;
}

/** Puts one record into the columns with `set`. @throws RowError for bytes that are not a row */
export interface RowFiller {
  fill(value: Uint8Array, target: RowTarget): void;
}

/**
 * The rows of one log batch, in its order. A record that fails a check leaves no trace in the
 * columns: the next one takes its row.
 */
export class RowBatchBuilder implements RowTarget {
  readonly #rules: RowRules;
  readonly #batch: LogBatch;
  readonly #columns: readonly Column[];
  readonly #rejects: Reject[] = [];
  readonly #offsets: Float64Array;
  readonly #eventTimesUs: Float64Array;
  readonly #createdTimesUs: Float64Array;
  readonly #arrivalTimesUs: Float64Array;
  #row = 0;

  constructor(rules: RowRules, batch: LogBatch) {
    this.#rules = rules;
    this.#batch = batch;
    this.#columns = rules.layout.types.map((type) => makeColumn(type, batch.count));
    this.#offsets = new Float64Array(batch.count);
    this.#eventTimesUs = new Float64Array(batch.count);
    this.#createdTimesUs = new Float64Array(batch.count);
    this.#arrivalTimesUs = new Float64Array(batch.count);
  }

  /** Decodes every record of the batch. */
  addAll(filler: RowFiller): DecodedBatch {
    const { count, values } = this.#batch;
    for (let i = 0; i < count; i++) {
      try {
        const value = requireBytes(values[i] ?? null, this.#rules.rowBytesMax);
        filler.fill(value, this);
        this.#keep(i);
      } catch (thrown) {
        if (!(thrown instanceof RowError)) throw thrown;
        this.#rejects.push({ index: i, code: thrown.code, reason: thrown.message });
        for (const column of this.#columns) column.valid[this.#row] = 0;
      }
    }
    return { rows: this.#rows(), rejects: this.#rejects };
  }

  set(columnIndex: number, value: FieldValue): void {
    const column = this.#columns[columnIndex] as Column;
    if (value === null) {
      column.valid[this.#row] = 0;
      return;
    }
    column.valid[this.#row] = 1;
    (this.#rules.puts[columnIndex] as ColumnPut)(column.values, this.#row, value);
  }

  /** Checks the current row and moves on to the next. */
  #keep(index: number): void {
    const rules = this.#rules;
    const row = this.#row;
    for (const column of rules.required) {
      if (!this.#isValid(column)) {
        throw new RowError('ROW_KEY_NULL', `join key "${rules.layout.names[column]}" is null`);
      }
    }
    const arrivalTimeUs = (this.#batch.timestampsMs[index] as number) * US_PER_MS;
    this.#eventTimesUs[row] = this.#eventTime(arrivalTimeUs);
    for (const column of rules.otherTimestamps) this.#requireTimestamp(column);
    const hasCreated = rules.created !== -1 && this.#isValid(rules.created);
    this.#createdTimesUs[row] = hasCreated ? this.#number(rules.created) : NO_CREATED_TIME_US;
    this.#offsets[row] = this.#batch.offsets[index] as number;
    this.#arrivalTimesUs[row] = arrivalTimeUs;
    this.#row++;
  }

  #eventTime(arrivalTimeUs: number): number {
    const { layout, timestamp, maxAheadUs } = this.#rules;
    if (!this.#isValid(timestamp)) {
      throw new RowError('ROW_TIME_NULL', `timestamp field "${layout.names[timestamp]}" is null`);
    }
    const eventTimeUs = this.#number(timestamp);
    if (!Number.isSafeInteger(eventTimeUs)) {
      throw new RowError(
        'ROW_TIME_ABSURD',
        `event time ${eventTimeUs} µs is outside the years 1685 to 2254`,
      );
    }
    if (eventTimeUs > arrivalTimeUs + maxAheadUs) {
      const aheadMs = Math.round((eventTimeUs - arrivalTimeUs) / US_PER_MS);
      throw new RowError(
        'ROW_TIME_ABSURD',
        `event time is ${aheadMs} ms ahead of its arrival; the source allows ${maxAheadUs / US_PER_MS} ms`,
      );
    }
    return eventTimeUs;
  }

  #requireTimestamp(column: number): void {
    if (!this.#isValid(column) || Number.isSafeInteger(this.#number(column))) return;
    const name = this.#rules.layout.names[column];
    throw new RowError('ROW_TYPE', `field "${name}" is outside the years 1685 to 2254`);
  }

  #isValid(column: number): boolean {
    return (this.#columns[column] as Column).valid[this.#row] === 1;
  }

  #number(column: number): number {
    return ((this.#columns[column] as Column).values as Float64Array)[this.#row] as number;
  }

  #rows(): RowBatch {
    return {
      layout: this.#rules.layout,
      count: this.#row,
      columns: this.#columns,
      offsets: this.#offsets,
      eventTimesUs: this.#eventTimesUs,
      createdTimesUs: this.#createdTimesUs,
      arrivalTimesUs: this.#arrivalTimesUs,
    };
  }
}

function requireBytes(value: Uint8Array | null, rowBytesMax: number): Uint8Array {
  if (value === null || value.length === 0) {
    throw new RowError('ROW_EMPTY', 'the record has no value');
  }
  if (value.length > rowBytesMax) {
    throw new RowError('ROW_TOO_LARGE', `${value.length} bytes; the bound is ${rowBytesMax}`);
  }
  return value;
}

/** A function per kind of array, so that each stays fast. */
function columnPut(type: FieldType): ColumnPut {
  switch (type) {
    case 'int32':
      return (values, row, value) => {
        (values as Int32Array)[row] = value as number;
      };
    case 'int64':
      return (values, row, value) => {
        (values as BigInt64Array)[row] = value as bigint;
      };
    case 'float32':
    case 'float64':
    case 'timestamp':
      return (values, row, value) => {
        (values as Float64Array)[row] = value as number;
      };
    case 'bool':
      return (values, row, value) => {
        (values as Uint8Array)[row] = value === true ? 1 : 0;
      };
    default:
      return (values, row, value) => {
        (values as FieldValue[])[row] = value;
      };
  }
}

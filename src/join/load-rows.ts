import { type Coercer, coercerOf, keyCoercerOf } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { toInt64 } from '../core/int64.ts';
import { type Column, makeColumn } from '../core/row-batch.ts';
import { type DuckdbConnection, fieldTypeToSql } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import type { FeaturePlan } from '../transform/index.ts';
import {
  type ColumnRole,
  columnRoles,
  EVENT_TIMESTAMP,
  type LabelColumn,
  type LabelTable,
} from './entity-rows.ts';

type Row = Readonly<Record<string, unknown>>;

/** Rows that are made into columns at a time: 64 chunks of DuckDB. */
const BLOCK_ROWS = 64 * 2_048;

/**
 * Row objects into the table of labels. Join keys and request data get their declared types, other
 * columns the narrowest type that gives their values back unchanged.
 * @throws FreshetError INVALID_ARGUMENT, VALUE_TYPE, EVENT_TIMESTAMP_MISSING and as `columnRoles`
 */
export async function loadRows(
  connection: DuckdbConnection,
  table: string,
  rows: readonly Row[],
  plan: FeaturePlan,
): Promise<LabelTable> {
  const names = rows.length === 0 ? neededNames(plan) : sharedNames(rows);
  const roles = columnRoles(plan, names, dateColumns(rows, names));
  const columns = names.map((name, i) => loadedColumn(rows, name, roles[i] as ColumnRole));
  const timeIndex = roles.findIndex((role) => role.kind === 'time');

  const declared = columns.map(({ type }, i) => `c${i} ${fieldTypeToSql(type)}`);
  await connection.run(`CREATE TABLE ${table} (q BIGINT, ${declared.join(', ')})`);
  const types: FieldType[] = ['int64', ...columns.map(({ type }) => type)];
  const appender = await connection.appender(table, types);
  let minTimeUs = Number.POSITIVE_INFINITY;
  let maxTimeUs = Number.NEGATIVE_INFINITY;
  try {
    for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
      const block = rows.slice(from, from + BLOCK_ROWS);
      const values = columns.map((column) => fillColumn(column, block, from));
      const times = values[timeIndex]?.values as Float64Array;
      for (const time of times) {
        minTimeUs = Math.min(minTimeUs, time);
        maxTimeUs = Math.max(maxTimeUs, time);
      }
      appender.append([timeColumn(times), ...values], 0, block.length);
    }
  } finally {
    appender.close();
  }
  return {
    table,
    columns: columns.map(({ name, type }): LabelColumn => ({ name, type })),
    timeColumn: names[timeIndex] as string,
    rowCount: rows.length,
    minTimeUs: rows.length === 0 ? null : minTimeUs,
    maxTimeUs: rows.length === 0 ? null : maxTimeUs,
  };
}

/** Without rows the result still has its columns. */
function neededNames({ joinKeys, requestFields }: FeaturePlan): string[] {
  const keys = joinKeys.map(({ column }) => column);
  const requests = requestFields.map(({ name }) => name).filter((name) => !keys.includes(name));
  return [...keys, ...requests, EVENT_TIMESTAMP];
}

function sharedNames(rows: readonly Row[]): string[] {
  const names = Object.keys(rows[0] as Row);
  for (let i = 1; i < rows.length; i++) {
    const row = rows[i] as Row;
    const missing = names.find((name) => !Object.hasOwn(row, name));
    const extra = Object.keys(row).find((name) => !Object.hasOwn(rows[0] as Row, name));
    if (missing === undefined && extra === undefined) continue;
    throw new FreshetError(
      'INVALID_ARGUMENT',
      missing === undefined
        ? `entity row ${i} has "${extra}", which row 0 has not`
        : `entity row ${i} has no "${missing}", which row 0 has`,
      { where: { row: i, column: missing ?? extra ?? '' } },
    );
  }
  return names;
}

function dateColumns(rows: readonly Row[], names: readonly string[]): string[] {
  if (names.includes(EVENT_TIMESTAMP)) return [];
  return names.filter((name) => {
    const present = rows.filter((row) => row[name] != null);
    return present.length > 0 && present.every((row) => row[name] instanceof Date);
  });
}

interface LoadedColumn {
  readonly name: string;
  readonly type: FieldType;
  readonly coerce: Coercer;
  readonly required: boolean;
}

function loadedColumn(rows: readonly Row[], name: string, role: ColumnRole): LoadedColumn {
  switch (role.kind) {
    case 'time':
      return { name, type: 'timestamp', coerce: coercerOf('timestamp'), required: true };
    case 'key':
      return { name, type: role.type, coerce: keyCoercerOf(role.type), required: false };
    case 'request':
      return { name, type: role.type, coerce: coercerOf(role.type), required: false };
    default: {
      const type = inferType(rows, name);
      return { name, type, coerce: coercerOf(type), required: false };
    }
  }
}

/** The first type that every value of the column has; what has none is kept as JSON. */
function inferType(rows: readonly Row[], name: string): FieldType {
  let candidates: readonly (readonly [FieldType, (value: unknown) => boolean])[] = EXTRA_TYPES;
  for (const row of rows) {
    const value = row[name];
    if (value == null) continue;
    candidates = candidates.filter(([, accepts]) => accepts(value));
    if (candidates.length === 0) return 'json';
  }
  return candidates[0]?.[0] ?? 'json';
}

const isNumber = (value: unknown): boolean => typeof value === 'number';
const isText = (value: unknown): boolean => typeof value === 'string';
const isBigint = (value: unknown): boolean => typeof value === 'bigint';
const isBool = (value: unknown): boolean => typeof value === 'boolean';
const isDate = (value: unknown): boolean => value instanceof Date;
const isInt32 = (value: unknown): boolean => Object.is(value, Number(value) | 0);
const isInt64 = (value: unknown): boolean => isBigint(value) || Number.isSafeInteger(value);
const eachOf =
  (accepts: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(accepts);

/** Narrowest first. A column of bigints and whole numbers comes out as bigints. */
const EXTRA_TYPES: readonly (readonly [FieldType, (value: unknown) => boolean])[] = [
  ['string', isText],
  ['int32', isInt32],
  ['float64', isNumber],
  ['int64', isInt64],
  ['bool', isBool],
  ['timestamp', isDate],
  ['bytes', (value) => value instanceof Uint8Array],
  ['float64[]', eachOf(isNumber)],
  ['int64[]', eachOf(isBigint)],
  ['string[]', eachOf(isText)],
  ['bool[]', eachOf(isBool)],
  ['timestamp[]', eachOf(isDate)],
];

function fillColumn(loaded: LoadedColumn, rows: readonly Row[], firstRow: number): Column {
  const column = makeColumn(loaded.type, rows.length);
  const values = column.values as FieldValue[];
  for (let i = 0; i < rows.length; i++) {
    const value = coerceValue(loaded, (rows[i] as Row)[loaded.name], firstRow + i);
    if (value === null) continue;
    values[i] = typeof value === 'boolean' && loaded.type === 'bool' ? Number(value) : value;
    column.valid[i] = 1;
  }
  return column;
}

function coerceValue(
  { name, coerce, required }: LoadedColumn,
  sent: unknown,
  row: number,
): FieldValue {
  let value: FieldValue;
  try {
    value = coerce(sent);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new FreshetError('VALUE_TYPE', `entity row ${row}, column "${name}": ${what}`, {
      where: { row, column: name },
      cause,
    });
  }
  if (value === null && required) {
    throw new FreshetError('EVENT_TIMESTAMP_MISSING', `entity row ${row} has no "${name}"`, {
      where: { row, column: name },
      next: 'Give every entity row the time at which its features are wanted.',
    });
  }
  return value;
}

function timeColumn(times: Float64Array): Column {
  const count = times.length;
  return {
    type: 'int64',
    values: toInt64(times, 0, count),
    valid: new Uint8Array(count).fill(1),
  };
}

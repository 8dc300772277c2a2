import { type Coercer, keyCoercerOf } from '../core/coerce.ts';
import type { FieldValue } from '../core/field-type.ts';
import { nearestName } from '../core/nearest.ts';
import { FreshetError } from '../errors.ts';
import type { FeaturePlan, PlannedJoinKey } from '../transform/index.ts';

export type EntityRow = Readonly<Record<string, unknown>>;

/** Entity rows as columns. */
export interface EntityColumns {
  readonly count: number;
  /** Join key values as stored, by column name; null where one was not given. */
  readonly keys: ReadonlyMap<string, readonly FieldValue[]>;
  /** Any column as it was sent; undefined when the rows have no such column. */
  sent(name: string): readonly unknown[] | undefined;
}

/**
 * Reads entity rows as a plan needs them. Compiled once a plan. Columns that no view asks for are let through;
 * one that is near a missing join key is named.
 */
export function entityColumnReader(
  plan: FeaturePlan,
): (rows: readonly EntityRow[]) => EntityColumns {
  const coercers = plan.joinKeys.map(({ type }) => keyCoercerOf(type));
  return (rows) => {
    const names = requireSameKeys(rows);
    const keys = new Map<string, readonly FieldValue[]>();
    plan.joinKeys.forEach((key, k) => {
      if (rows.length > 0 && !names.includes(key.column)) throw missing(key, names, plan);
      keys.set(key.column, keyValues(rows, key, coercers[k] as Coercer));
    });
    return {
      count: rows.length,
      keys,
      sent: (name) => (names.includes(name) ? rows.map((row) => row[name]) : undefined),
    };
  };
}

/** @throws FreshetError INVALID_ARGUMENT */
function requireSameKeys(rows: readonly EntityRow[]): readonly string[] {
  if (!Array.isArray(rows)) throw invalid('entity rows must be an array of objects');
  const first = keysOf(rows[0] ?? {}, 0);
  for (let i = 1; i < rows.length; i++) {
    const names = keysOf(rows[i], i);
    const other = names.find((name) => !first.includes(name)) ?? absentFrom(first, names);
    if (other === undefined) continue;
    throw invalid(
      `All entity_rows must have the same keys. Row 0 has ${list(first)}; row ${i} has ${list(names)}`,
      i,
      other,
    );
  }
  return first;
}

function absentFrom(wanted: readonly string[], names: readonly string[]): string | undefined {
  return names.length === wanted.length ? undefined : wanted.find((name) => !names.includes(name));
}

function keysOf(row: unknown, i: number): readonly string[] {
  if (typeof row !== 'object' || row === null) throw invalid(`entity row ${i} is not an object`, i);
  return Object.keys(row);
}

function keyValues(
  rows: readonly EntityRow[],
  { column, alias }: PlannedJoinKey,
  coerce: Coercer,
): FieldValue[] {
  return rows.map((row, i) => {
    try {
      return coerce(row[column]);
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new FreshetError('VALUE_TYPE', `entity row ${i}, join key "${column}": ${what}`, {
        where: { view: alias, column, row: i },
        cause,
      });
    }
  });
}

function missing(
  { column, type, alias }: PlannedJoinKey,
  names: readonly string[],
  plan: FeaturePlan,
): FreshetError {
  const known = new Set([
    ...plan.joinKeys.map((key) => key.column),
    ...plan.requestFields.map(({ name }) => name),
  ]);
  const near = nearestName(
    column,
    names.filter((name) => !known.has(name)),
  );
  const hint = near === null ? '' : `; is "${near}" meant?`;
  return new FreshetError(
    'JOIN_KEY_MISSING',
    `the entity rows have no "${column}" (${type}), a join key of view "${alias}"${hint}`,
    { where: { view: alias, column } },
  );
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

function invalid(what: string, row?: number, column?: string): FreshetError {
  return new FreshetError('INVALID_ARGUMENT', what, {
    next: 'Give every entity row the same keys.',
    where: { ...(row !== undefined && { row }), ...(column !== undefined && { column }) },
  });
}

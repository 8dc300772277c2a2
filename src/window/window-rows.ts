import { type Coercer, coercerOf } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import {
  type Column,
  columnValue,
  makeColumn,
  type RowBatch,
  type RowLayout,
} from '../core/row-batch.ts';
import type { FeatureView, Windowing } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { GroupColumns } from './tile.ts';
import type { WindowGroup, WindowPlan } from './window-plan.ts';

/** The rows of a batch as windows read them: which of them count, and the columns of each group. */
export interface WindowRows {
  /** 1 where the view's `where` passes. */
  readonly passes: Uint8Array;
  /** By group of the plan. */
  readonly columns: readonly GroupColumns[];
}

/** Compiled for one view and one layout of rows; used per batch. */
export type WindowRowReader = (rows: RowBatch) => WindowRows;

/**
 * Evaluates `where` and `derive`, once for each row that passes.
 * @throws FreshetError TRANSFORM_FAILED naming view, column and offset, when one of them throws or
 * gives what its type cannot hold
 */
export function windowRowReader(
  view: FeatureView,
  windowing: Windowing,
  plan: WindowPlan,
  layout: RowLayout,
): WindowRowReader {
  const cursor = new RowCursor(layout);
  const derived = Object.entries(windowing.derive)
    .filter(([name]) => plan.columns.some((column) => column.name === name))
    .map(([name, { type, of }]): Derived => ({ name, type, of, coerce: coercerOf(type) }));
  return (rows) => {
    cursor.rows = rows;
    const passes = new Uint8Array(rows.count).fill(1);
    const columns = new Map(derived.map(({ name, type }) => [name, makeColumn(type, rows.count)]));
    if (windowing.where !== null || derived.length > 0) {
      for (let i = 0; i < rows.count; i++) {
        cursor.at = i;
        if (windowing.where !== null) passes[i] = passesAt(view, windowing.where, cursor) ? 1 : 0;
        if (passes[i] === 0) continue;
        for (const column of derived) {
          put(columns.get(column.name) as Column, i, derivedValue(view, column, cursor));
        }
      }
    }
    const columnOf = (name: string): Column =>
      columns.get(name) ?? (rows.columns[layout.index.get(name) as number] as Column);
    return { passes, columns: plan.groups.map((group) => groupColumns(group, columnOf)) };
  };
}

interface Derived {
  readonly name: string;
  readonly type: FieldType;
  readonly of: (row: Readonly<Record<string, unknown>>) => unknown;
  readonly coerce: Coercer;
}

/** One object that stands for each row in turn: user code reads its properties. */
class RowCursor {
  rows: RowBatch | null = null;
  at = 0;
  readonly row: Readonly<Record<string, FieldValue>>;

  constructor(layout: RowLayout) {
    const row = Object.create(null);
    for (const [c, name] of layout.names.entries()) {
      const get = (): FieldValue => columnValue(this.rows?.columns[c] as Column, this.at);
      Object.defineProperty(row, name, { get, enumerable: true });
    }
    this.row = Object.freeze(row);
  }
}

function passesAt(
  view: FeatureView,
  where: NonNullable<Windowing['where']>,
  cursor: RowCursor,
): boolean {
  try {
    return where(cursor.row) === true;
  } catch (cause) {
    throw failed(view, 'where', cursor, cause);
  }
}

function derivedValue(
  view: FeatureView,
  { name, of, coerce }: Derived,
  cursor: RowCursor,
): FieldValue {
  try {
    return coerce(of(cursor.row));
  } catch (cause) {
    throw failed(view, name, cursor, cause);
  }
}

function put(column: Column, i: number, value: FieldValue): void {
  if (value === null) return;
  column.valid[i] = 1;
  (column.values as FieldValue[])[i] = column.type === 'bool' ? Number(value) : value;
}

function groupColumns(group: WindowGroup, columnOf: (name: string) => Column): GroupColumns {
  return {
    bySlot: group.slots.map(({ column }) => (column === null ? null : columnOf(column))),
    kept: group.columns.map(({ name }) => columnOf(name)),
  };
}

function failed(
  view: FeatureView,
  column: string,
  cursor: RowCursor,
  cause: unknown,
): FreshetError {
  const offset = cursor.rows?.offsets[cursor.at];
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FreshetError('TRANSFORM_FAILED', `view "${view.name}", ${column}: ${reason}`, {
    where: { view: view.name, column, ...(offset !== undefined && { offset }) },
    next: 'Correct the function in the definition: it must hold for every row.',
    cause,
  });
}

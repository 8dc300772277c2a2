/**
 * The partial aggregate of one entity over one slice of time: an IR for each slot of its group, and
 * the rows themselves where the group keeps them.
 *
 * ```
 * tile := (size varint | IR)* for each slot, in order | kept rows, when the group keeps rows
 * ```
 */
import { type ByteReader, ByteWriter } from '../core/bytes.ts';
import type { Column } from '../core/row-batch.ts';
import type { RowsInOrder } from './aggregator.ts';
import {
  decodeKept,
  encodeKept,
  insertKept,
  type KeptRow,
  keepRow,
  updateWithKept,
} from './kept-rows.ts';
import type { Slot, WindowGroup } from './window-plan.ts';

export interface Tile {
  readonly irs: readonly unknown[];
  /** Sorted by their order; null where the group keeps none. */
  readonly kept: KeptRow[] | null;
}

/** The columns of a batch that a group reads: by slot (null where it reads none), and all it keeps. */
export interface GroupColumns {
  readonly bySlot: readonly (Column | null)[];
  readonly kept: readonly Column[];
}

export function createTile(group: WindowGroup): Tile {
  return {
    irs: slotsOf(group).map((slot) => slot.aggregator.create()),
    kept: keepsRows(group) ? [] : null,
  };
}

export function updateTile(
  group: WindowGroup,
  tile: Tile,
  columns: GroupColumns,
  rows: RowsInOrder,
  i: number,
): void {
  const slots = slotsOf(group);
  for (let s = 0; s < slots.length; s++) {
    slots[s]?.aggregator.update(tile.irs[s], columns.bySlot[s] ?? null, rows, i);
  }
  if (tile.kept !== null) {
    insertKept(tile.kept, keepRow(columns.kept, rows, i));
    trim(group, tile.kept);
  }
}

/** Takes the rows of `from` into account; `from` stays as it is. */
export function mergeTile(group: WindowGroup, into: Tile, from: Tile): void {
  mergeIrs(group, into.irs, from.irs);
  if (into.kept === null) return;
  for (const row of from.kept ?? []) insertKept(into.kept, row);
  trim(group, into.kept);
}

const scratch = new ByteWriter(1_024);

/** Merges the IRs of all slots that `from` has; those of a group of last rows are made when they are read. */
export function mergeIrs(
  group: WindowGroup,
  into: readonly unknown[],
  from: readonly unknown[],
): void {
  const slots = slotsOf(group);
  for (let s = 0; s < slots.length; s++) {
    if (from[s] !== null) slots[s]?.aggregator.merge(into[s], from[s]);
  }
}

/** The IRs of all slots over kept rows. */
export function irsOfKept(group: WindowGroup, kept: readonly KeptRow[]): unknown[] {
  const irs = group.slots.map((slot) => slot.aggregator.create());
  updateWithKept(group.slots, group.columns, irs, kept);
  return irs;
}

export function encodeTile(group: WindowGroup, tile: Tile, out: ByteWriter): void {
  for (const [s, slot] of slotsOf(group).entries()) {
    scratch.reset();
    slot.aggregator.encode(tile.irs[s], scratch);
    out.bytes(scratch.view());
  }
  if (tile.kept !== null) encodeKept(group.columns, tile.kept, out);
}

/** Slots that are not wanted (by position; default: all are) are stepped over, and null. */
export function decodeTile(
  group: WindowGroup,
  input: ByteReader,
  wanted?: readonly boolean[],
): Tile {
  const irs = slotsOf(group).map(({ aggregator }, s) => {
    const size = input.varint();
    if (wanted === undefined || wanted[s]) return aggregator.decode(input);
    input.skip(size);
    return null;
  });
  return { irs, kept: keepsRows(group) ? decodeKept(group.columns, input) : null };
}

/** Windows of the last rows are aggregated when they are read: a row that leaves cannot be taken out. */
function slotsOf(group: WindowGroup): readonly Slot[] {
  return group.shape.kind === 'lastRows' ? [] : group.slots;
}

function trim(group: WindowGroup, kept: KeptRow[]): void {
  if (group.shape.kind !== 'lastRows') return;
  const excess = kept.length - group.shape.count;
  if (excess > 0) kept.splice(0, excess);
}

function keepsRows(group: WindowGroup): boolean {
  const { shape } = group;
  return shape.kind === 'lastRows' || (shape.kind === 'sliding' && shape.keepsRows);
}

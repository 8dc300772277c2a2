/**
 * The partial aggregate of one entity over one slice of time: an IR for each slot of its group, and
 * the rows themselves where the group keeps them.
 *
 * ```
 * tile := IR of each slot, in order | kept rows, when the group keeps rows
 * ```
 */
import type { ByteReader, ByteWriter } from '../core/bytes.ts';
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

/** Merges the IRs of all slots; those of a group of last rows are made when they are read. */
export function mergeIrs(
  group: WindowGroup,
  into: readonly unknown[],
  from: readonly unknown[],
): void {
  const slots = slotsOf(group);
  for (let s = 0; s < slots.length; s++) slots[s]?.aggregator.merge(into[s], from[s]);
}

/** The IRs of all slots over kept rows. */
export function irsOfKept(group: WindowGroup, kept: readonly KeptRow[]): unknown[] {
  const irs = group.slots.map((slot) => slot.aggregator.create());
  updateWithKept(group.slots, group.columns, irs, kept);
  return irs;
}

export function encodeTile(group: WindowGroup, tile: Tile, out: ByteWriter): void {
  for (const [s, slot] of slotsOf(group).entries()) slot.aggregator.encode(tile.irs[s], out);
  if (tile.kept !== null) encodeKept(group.columns, tile.kept, out);
}

export function decodeTile(group: WindowGroup, input: ByteReader): Tile {
  const irs = slotsOf(group).map((slot) => slot.aggregator.decode(input));
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

import type { Column } from '../../core/row-batch.ts';
import type { Aggregator } from '../aggregator.ts';
import { ExactSum } from '../exact-sum.ts';
import { decodeExactSum, encodeExactSum } from './sum.ts';

/**
 * Weighted sums by cells of one half-life, aligned to 1970. A row counts x · 2^((t - start) / h) in
 * the cell that begins at `start`: a double that depends on the row alone. Cells are summed exactly
 * and decayed to the time of the read when they are finalized, oldest first.
 */
interface CellsIr {
  readonly cells: Map<number, ExactSum>;
}

/** Cells this many half-lives behind the newest count less than the smallest double: they are dropped. */
const CELLS_MAX = 1_100;

/** Values that halve with each half-life up to the read; null without values. */
export function decayedSumAggregator(halfLifeUs: number): Aggregator<never> {
  return decayed(halfLifeUs, (column, i) => {
    const { valid, values } = column as Column;
    return valid[i] === 0 ? null : Number(values[i]);
  });
}

/** Rows (or values that are not null) that halve with each half-life up to the read. */
export function decayedCountAggregator(halfLifeUs: number): Aggregator<never> {
  return decayed(halfLifeUs, (column, i) => (column === null || column.valid[i] === 1 ? 1 : null));
}

function decayed(
  halfLifeUs: number,
  numberOf: (column: Column | null, i: number) => number | null,
): Aggregator<never> {
  const aggregator: Aggregator<CellsIr> = {
    outputType: 'float64',
    create: () => ({ cells: new Map() }),
    update: (ir, column, rows, i) => {
      const value = numberOf(column, i);
      if (value === null) return;
      const eventTimeUs = rows.eventTimesUs[i] as number;
      const cell = Math.floor(eventTimeUs / halfLifeUs);
      const weight = 2 ** ((eventTimeUs - cell * halfLifeUs) / halfLifeUs);
      const sum = ir.cells.get(cell);
      if (sum !== undefined) sum.add(value * weight);
      else {
        ir.cells.set(cell, ExactSum.fromParts([value * weight]));
        dropOld(ir);
      }
    },
    merge: (into, from) => {
      for (const [cell, sum] of from.cells) {
        const held = into.cells.get(cell);
        if (held !== undefined) held.merge(sum);
        else {
          const copy = new ExactSum();
          copy.merge(sum);
          into.cells.set(cell, copy);
        }
      }
      dropOld(into);
    },
    finalize: (ir, atUs) => {
      if (ir.cells.size === 0) return null;
      const total = new ExactSum();
      for (const [cell, sum] of sorted(ir)) {
        total.add(sum.value() * 2 ** ((cell * halfLifeUs - atUs) / halfLifeUs));
      }
      return total.value();
    },
    encode: (ir, out) => {
      out.varint(ir.cells.size);
      for (const [cell, sum] of sorted(ir)) {
        out.f64(cell);
        encodeExactSum(sum, out);
      }
    },
    decode: (input) => {
      const cells = new Map<number, ExactSum>();
      for (let left = input.varint(); left > 0; left--) {
        const cell = input.f64();
        cells.set(cell, decodeExactSum(input));
      }
      return { cells };
    },
  };
  return aggregator as unknown as Aggregator<never>;
}

function dropOld(ir: CellsIr): void {
  if (ir.cells.size <= CELLS_MAX) return;
  const newest = Math.max(...ir.cells.keys());
  for (const cell of ir.cells.keys()) if (cell <= newest - CELLS_MAX) ir.cells.delete(cell);
}

function sorted(ir: CellsIr): [cell: number, sum: ExactSum][] {
  return [...ir.cells].sort(([a], [b]) => a - b);
}

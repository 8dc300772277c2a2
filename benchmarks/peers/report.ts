/** How figures are printed. */
import type { CellResult } from './measure.ts';

/** One line of a table of two sides. */
export function row(what: string, ours: string, theirs: string): void {
  console.log(`  ${what.padEnd(34)}${ours.padStart(24)}${theirs.padStart(24)}`.trimEnd());
}

/** A whole number with its thousands apart. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function seconds(result: CellResult): string {
  return `${(result.seconds ?? Number.NaN).toFixed(2)} s`;
}

/** p50 and p99, microseconds. */
export function micros(of: CellResult['one']): string {
  return of === undefined ? '' : `${of.map((value) => count(value)).join(' ')} µs`;
}

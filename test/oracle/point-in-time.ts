/** The obvious point-in-time join: every label looks at every row. */
import type { FieldValue } from '../../src/core/field-type.ts';
import { compareRowOrder, type RowOrder } from '../../src/core/row-order.ts';

export interface OracleRow extends RowOrder {
  /** Join key values in the view's order. */
  readonly keys: readonly FieldValue[];
  /** Null: it never arrives. */
  readonly arrivalTimeUs: number | null;
  readonly lateByUs: number;
  readonly features: readonly FieldValue[];
}

export interface OracleLabel {
  readonly keys: readonly FieldValue[];
  readonly timeUs: number;
}

export interface OracleRules {
  readonly ttlUs: number | null;
  readonly graceUs: number;
  readonly strictlyBefore: boolean;
  readonly knownAt: 'event' | 'arrival';
  readonly late: 'exclude' | 'include';
}

/** The features of each label, in order; null where no row counts. */
export function joinPointInTime(
  labels: readonly OracleLabel[],
  rows: readonly OracleRow[],
  rules: OracleRules,
): (readonly FieldValue[] | null)[] {
  return labels.map((label) => {
    let newest: OracleRow | null = null;
    for (const row of rows) {
      if (!sees(label, row, rules)) continue;
      if (newest === null || compareRowOrder(row, newest) > 0) newest = row;
    }
    const isOld =
      newest !== null && rules.ttlUs !== null && label.timeUs - newest.eventTimeUs > rules.ttlUs;
    return newest === null || isOld ? null : newest.features;
  });
}

function sees(label: OracleLabel, row: OracleRow, rules: OracleRules): boolean {
  for (let i = 0; i < label.keys.length; i++) {
    if (label.keys[i] === null || label.keys[i] !== row.keys[i]) return false;
  }
  if (rules.late === 'exclude' && row.lateByUs > rules.graceUs) return false;
  if (rules.knownAt === 'arrival') {
    if (row.arrivalTimeUs === null || row.arrivalTimeUs > label.timeUs) return false;
  }
  return rules.strictlyBefore ? row.eventTimeUs < label.timeUs : row.eventTimeUs <= label.timeUs;
}

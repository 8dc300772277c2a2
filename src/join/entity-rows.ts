import type { FieldType } from '../core/field-type.ts';
import { didYouMean, nearestName } from '../core/nearest.ts';
import { FreshetError } from '../errors.ts';
import type { FeaturePlan } from '../transform/index.ts';

/** Entity rows: an array of row objects, a Parquet or CSV file, or a query on such files. */
export type EntityRows<Row extends object = Readonly<Record<string, unknown>>> =
  | readonly Row[]
  | { readonly parquet: string }
  | { readonly csv: string }
  | { readonly sql: string };

/**
 * The table of labels: one row an entity row, with `q` and the columns `c0, c1, …`. Its `rowid` is the
 * place of the row among the entity rows, from 0: DuckDB keeps the order of what is inserted.
 */
export interface LabelTable {
  readonly table: string;
  /** The columns of the entity rows, in order; column i is `c<i>` in the table. */
  readonly columns: readonly LabelColumn[];
  readonly timeColumn: string;
  readonly rowCount: number;
  /** Of the rows, or the range that was asked for. Null without rows. */
  readonly minTimeUs: number | null;
  readonly maxTimeUs: number | null;
}

export interface LabelColumn {
  readonly name: string;
  /** Json is text in the table; null: what DuckDB made of the file's type. */
  readonly type: FieldType | null;
}

export const EVENT_TIMESTAMP = 'event_timestamp';

/** What a column of the entity rows is for; only what Freshet needs has a declared type. */
export type ColumnRole =
  | { readonly kind: 'key'; readonly type: FieldType; readonly alias: string }
  | { readonly kind: 'request'; readonly type: FieldType }
  | { readonly kind: 'time' }
  | { readonly kind: 'extra' };

/**
 * The role of each column of the entity rows.
 *
 * @param timestampNames the columns that hold timestamps, where none is called event_timestamp
 * @throws FreshetError JOIN_KEY_MISSING, MISSING_REQUEST_DATA, EVENT_TIMESTAMP_MISSING,
 * FEATURE_NAME_COLLISION
 */
export function columnRoles(
  plan: FeaturePlan,
  names: readonly string[],
  timestampNames: readonly string[],
): ColumnRole[] {
  requireColumns(plan, names);
  const keys = new Map(plan.joinKeys.map((key) => [key.column, key]));
  const requests = new Map(plan.requestFields.map((field) => [field.name, field.type]));
  const free = timestampNames.filter((name) => !keys.has(name) && !requests.has(name));
  const timeColumn = chooseTimeColumn(names, free);
  requireFreeNames(plan, names);
  return names.map((name): ColumnRole => {
    if (name === timeColumn) return { kind: 'time' };
    const key = keys.get(name);
    if (key !== undefined) return { kind: 'key', type: key.type, alias: key.alias };
    const type = requests.get(name);
    return type === undefined ? { kind: 'extra' } : { kind: 'request', type };
  });
}

function requireColumns(plan: FeaturePlan, names: readonly string[]): void {
  const known = new Set(names);
  const needed = new Set([
    ...plan.joinKeys.map(({ column }) => column),
    ...plan.requestFields.map(({ name }) => name),
  ]);
  const spare = names.filter((name) => !needed.has(name));
  for (const { column, type, alias } of plan.joinKeys) {
    if (known.has(column)) continue;
    throw new FreshetError(
      'JOIN_KEY_MISSING',
      `the entity rows have no column "${column}" (${type}), the join key of view "${alias}". ${didYouMean(column, spare)}`,
      { where: { view: alias, column } },
    );
  }
  for (const { name, type, view } of plan.requestFields) {
    if (known.has(name)) continue;
    const nearest = nearestName(name, spare);
    throw new FreshetError(
      'MISSING_REQUEST_DATA',
      `the entity rows have no column "${name}" (${type}), which on-demand view "${view}" needs${nearest === null ? '' : `. Did you mean "${nearest}"?`}`,
      { where: { view, column: name } },
    );
  }
}

function chooseTimeColumn(names: readonly string[], timestampNames: readonly string[]): string {
  if (names.includes(EVENT_TIMESTAMP)) return EVENT_TIMESTAMP;
  const [only] = timestampNames;
  if (timestampNames.length === 1 && only !== undefined) return only;
  const found =
    timestampNames.length === 0
      ? 'none of their columns holds timestamps'
      : `several hold timestamps: ${timestampNames.join(', ')}`;
  throw new FreshetError(
    'EVENT_TIMESTAMP_MISSING',
    `the entity rows have no column "${EVENT_TIMESTAMP}", and ${found}`,
    { where: { column: EVENT_TIMESTAMP } },
  );
}

function requireFreeNames({ outputs }: FeaturePlan, names: readonly string[]): void {
  const known = new Set(names);
  const clash = outputs.find(({ name }) => known.has(name));
  if (clash === undefined) return;
  throw new FreshetError(
    'FEATURE_NAME_COLLISION',
    `column "${clash.name}" of the entity rows has the name of feature "${clash.feature}" of view "${clash.alias}"`,
    { next: 'Ask for fullFeatureNames, or rename the column.' },
  );
}

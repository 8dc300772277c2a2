/** Plain aggregations as plain SQL: the check that shares no code with the windows. */
import type { FieldValue } from '../core/field-type.ts';
import type { AggregationSpec, FeatureView } from '../definition/index.ts';
import { type DuckdbConnection, quoteIdentifier, quoteLiteral } from '../duckdb/index.ts';
import { ALL_TIMES, type RowRelation } from '../join/index.ts';

/** The rows of a view as relations, and a connection to read them. */
export interface PlainSqlRows {
  readonly duckdb: DuckdbConnection;
  rowsOf(view: FeatureView): Promise<readonly RowRelation[]>;
}

const FUNCTIONS: Readonly<Record<string, (column: string) => string>> = {
  count: (column) => `count(${column})`,
  sum: (column) => `sum(${column})`,
  mean: (column) => `avg(${column})`,
  min: (column) => `min(${column})`,
  max: (column) => `max(${column})`,
};

/**
 * By feature, a value for each entity at a time; features that plain SQL cannot say are left out:
 * those over derived columns, those of views with `where`, and windows of rows or sessions.
 */
export async function plainAggregates(
  { duckdb, rowsOf }: PlainSqlRows,
  view: FeatureView,
  entities: readonly Readonly<Record<string, FieldValue>>[],
  atUs: number,
): Promise<ReadonlyMap<string, readonly FieldValue[]>> {
  const specs = (view.windowing?.aggregations ?? []).filter((spec) => isPlain(view, spec));
  if (specs.length === 0 || entities.length === 0 || view.windowing?.where !== null)
    return new Map();
  const relations = await rowsOf(view);
  const rows = relations
    .map(
      ({ sqlWithin, eventTime }) =>
        `SELECT *, epoch_us(${quoteIdentifier(eventTime)}) AS _e FROM (${sqlWithin(ALL_TIMES)})`,
    )
    .join(' UNION ALL BY NAME ');
  const keys = Object.keys(view.joinKeys);
  const columns = specs.map((spec, i) => `${aggregateSql(view, spec, atUs)} AS a${i}`);
  const found = await duckdb.query(
    `SELECT ${[...keys.map(quoteIdentifier), ...columns].join(', ')} FROM (${rows}) ` +
      `WHERE _e <= ${atUs} ${keys.length === 0 ? '' : `GROUP BY ${keys.map(quoteIdentifier).join(', ')}`}`,
  );
  const byKey = new Map(found.map((row) => [keyText(keys, row), row]));
  return new Map(
    specs.map((spec, i) => [
      spec.feature,
      entities.map((entity) => byKey.get(keyText(keys, entity))?.[`a${i}`] ?? null),
    ]),
  );
}

function isPlain(view: FeatureView, { function: fn, column, window }: AggregationSpec): boolean {
  if (FUNCTIONS[fn.name] === undefined) return false;
  if (column !== null && Object.hasOwn(view.windowing?.derive ?? {}, column)) return false;
  return window.kind === 'sliding' || window.kind === 'lifetime' || window.kind === 'tumbling';
}

function aggregateSql(view: FeatureView, spec: AggregationSpec, atUs: number): string {
  const column = spec.column === null ? '*' : quoteIdentifier(spec.column);
  const aggregate = (FUNCTIONS[spec.function.name] as (column: string) => string)(column);
  return `${aggregate} FILTER (WHERE ${windowSql(view, spec, atUs)})`;
}

/** docs/windows.md, written anew. */
function windowSql({ graceUs }: FeatureView, { window }: AggregationSpec, atUs: number): string {
  const inTime = `_late <= ${graceUs}`;
  switch (window.kind) {
    case 'sliding': {
      const { sizeUs, everyUs, exact } = window;
      const fromUs = exact ? atUs - sizeUs : Math.floor((atUs - sizeUs) / everyUs) * everyUs;
      return `_e > ${fromUs} AND ${inTime}`;
    }
    case 'tumbling': {
      const { sizeUs, offsetUs, current } = window;
      const behindUs = current ? 0 : sizeUs;
      const startUs = Math.floor((atUs - offsetUs - behindUs) / sizeUs) * sizeUs + offsetUs;
      const endUs = startUs + sizeUs;
      const isOpen = `(${inTime} OR ${endUs} > _e + _late - ${graceUs})`;
      return `_e >= ${startUs} AND _e < ${endUs} AND ${isOpen}`;
    }
    default:
      return inTime;
  }
}

function keyText(keys: readonly string[], row: Readonly<Record<string, FieldValue>>): string {
  return keys.map((key) => quoteLiteral(String(row[key]))).join(',');
}

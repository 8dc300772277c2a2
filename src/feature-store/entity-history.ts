import { type Coercer, keyCoercerOf } from '../core/coerce.ts';
import type { FieldValue } from '../core/field-type.ts';
import type { TimestampInput } from '../core/time.ts';
import { toTimestampUs } from '../core/time.ts';
import type { FeatureView } from '../definition/index.ts';
import { type DuckdbConnection, quoteIdentifier, type SqlParameter } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { ALL_TIMES, type HistoricalReader, type RowsOf } from '../join/index.ts';

export interface EntityHistoryOptions {
  readonly view: string;
  /** Values of the view's join keys. */
  readonly entity: Readonly<Record<string, unknown>>;
  /** Both ends included. Default: from the first row of the entity to its last. */
  readonly startTime?: TimestampInput;
  readonly endTime?: TimestampInput;
  /** Times, at most. Default 200. */
  readonly pointsMax?: number;
}

/** Values of one entity over event time, as a join gives them at each time. */
export interface EntityHistory {
  /** Rows of the entity in history, in the range or not. */
  readonly rows: number;
  /** Event times of its first and last row; null without rows. */
  readonly firstUs: number | null;
  readonly lastUs: number | null;
  /** Ascending: of rows, for a view of newest rows; evenly apart, for windows. */
  readonly timesUs: readonly number[];
  /** By feature, a value for each time. */
  readonly values: Readonly<Record<string, readonly FieldValue[]>>;
}

export interface EntityHistoryPorts {
  readonly duckdb: DuckdbConnection;
  readonly rowsOf: RowsOf;
  readonly reader: HistoricalReader;
}

const POINTS_MAX = 200;

/** @throws FreshetError JOIN_KEY_MISSING, VALUE_TYPE, and as `toTimestampUs` says */
export async function entityHistory(
  ports: EntityHistoryPorts,
  view: FeatureView,
  options: Omit<EntityHistoryOptions, 'view'>,
): Promise<EntityHistory> {
  const { pointsMax = POINTS_MAX } = options;
  const rows = await entityRows(ports, view, options.entity);
  const [span] = await rows.query('SELECT count(*) AS n, min(e) AS first, max(e) AS last');
  const [firstUs, lastUs] = [numberOf(span?.['first']), numberOf(span?.['last'])];
  const fromUs = options.startTime === undefined ? firstUs : toTimestampUs(options.startTime);
  const toUs = options.endTime === undefined ? lastUs : toTimestampUs(options.endTime);
  const timesUs =
    fromUs === null || toUs === null || fromUs > toUs
      ? []
      : view.windowing === null
        ? await rowTimes(rows, fromUs, toUs, pointsMax)
        : evenTimes(fromUs, toUs, pointsMax);
  const values = await valuesAt(ports, view, options.entity, timesUs);
  return { rows: numberOf(span?.['n']) ?? 0, firstUs, lastUs, timesUs, values };
}

interface EntityRows {
  /** Of the rows of the entity, as `SELECT … [… e is the event time in microseconds]`. */
  query(select: string, where?: string): ReturnType<DuckdbConnection['query']>;
}

async function entityRows(
  { duckdb, rowsOf }: EntityHistoryPorts,
  view: FeatureView,
  entity: Readonly<Record<string, unknown>>,
): Promise<EntityRows> {
  const conditions: string[] = [];
  const parameters: SqlParameter[] = [];
  for (const [name, type] of Object.entries(view.joinKeys)) {
    parameters.push(keyValue(view, name, keyCoercerOf(type), entity[name]));
    const column = quoteIdentifier(name);
    const stored = type === 'timestamp' ? `epoch_us(${column})` : column;
    conditions.push(`${stored} = $${parameters.length}`);
  }
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const relations = await rowsOf(view);
  const sql = relations
    .map(
      ({ sqlWithin, eventTime }) =>
        `SELECT epoch_us(${quoteIdentifier(eventTime)}) AS e FROM (${sqlWithin(ALL_TIMES)})${where}`,
    )
    .join(' UNION ALL ');
  return {
    query: (select, more = 'true') =>
      duckdb.query(`${select} FROM (${sql}) WHERE e IS NOT NULL AND ${more}`, parameters),
  };
}

/** @throws FreshetError JOIN_KEY_MISSING, VALUE_TYPE */
function keyValue(view: FeatureView, name: string, coerce: Coercer, sent: unknown): SqlParameter {
  const value = coerce(sent ?? null);
  if (value !== null) return value as SqlParameter;
  throw new FreshetError('JOIN_KEY_MISSING', `the entity has no value of "${name}"`, {
    where: { view: view.name, column: name },
  });
}

/** Event times of rows; where there are too many, every n-th from the newest on. */
async function rowTimes(
  rows: EntityRows,
  fromUs: number,
  toUs: number,
  pointsMax: number,
): Promise<number[]> {
  const found = await rows.query('SELECT DISTINCT e', `e BETWEEN ${fromUs} AND ${toUs}`);
  const all = found.map(({ e }) => Number(e)).sort((a, b) => a - b);
  const step = Math.ceil(all.length / pointsMax);
  return all.filter((_, i) => (all.length - 1 - i) % step === 0);
}

function evenTimes(fromUs: number, toUs: number, pointsMax: number): number[] {
  if (fromUs === toUs || pointsMax === 1) return [toUs];
  const stepUs = (toUs - fromUs) / (pointsMax - 1);
  const times = Array.from({ length: pointsMax }, (_, i) => Math.round(fromUs + i * stepUs));
  return [...new Set(times)];
}

async function valuesAt(
  { reader }: EntityHistoryPorts,
  view: FeatureView,
  entity: Readonly<Record<string, unknown>>,
  timesUs: readonly number[],
): Promise<Record<string, FieldValue[]>> {
  const names = Object.keys(view.schema);
  const keys = Object.fromEntries(Object.keys(view.joinKeys).map((name) => [name, entity[name]]));
  if (timesUs.length === 0) return Object.fromEntries(names.map((name) => [name, []]));
  await using answer = await reader.getHistoricalFeatures({
    features: names.map((name) => `${view.name}:${name}`),
    entityRows: timesUs.map((us) => ({ ...keys, event_timestamp: BigInt(us) })),
    fullFeatureNames: true,
  });
  const rows: readonly Readonly<Record<string, FieldValue>>[] = await answer.toArray();
  return Object.fromEntries(
    names.map((name) => [name, rows.map((row) => row[`${view.name}__${name}`] ?? null)]),
  );
}

function numberOf(value: FieldValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

/** Rows grouped and aggregated, as an on-demand view of Feast does it: here by a windowed view. */
import {
  count,
  distinctCount,
  first,
  last,
  lifetime,
  max,
  mean,
  min,
  stddevSample,
  sum,
  varianceSample,
} from '../../src/index.ts';
import { unknown } from './window-cases.ts';
import { type Aggregation, typeOfValues, type Values, WindowWorld } from './window-world.ts';

type Columns = Readonly<Record<string, readonly unknown[]>>;

const FUNCTIONS: Readonly<Record<string, () => Aggregation['function']>> = {
  count,
  count_distinct: distinctCount,
  first,
  last,
  max,
  mean,
  min,
  std: stddevSample,
  sum,
  var: varianceSample,
};

/**
 * One row a group, by rising group: its columns, then `<function>_<column>`. Each group is an
 * entity, whose rows come one after the other and are read once all have come.
 * @throws Error when the step asks for what this runner does not know
 */
export async function aggregateRows(step: Values): Promise<Columns> {
  const columns = step['columns'] as Columns;
  const groupBy = step['group_by'] as readonly string[];
  const asked = step['aggregations'] as readonly Readonly<Record<string, string>>[];
  const aggregations = asked.map(({ column, function: fn, ...rest }): Aggregation => {
    const [other] = Object.keys(rest);
    if (other !== undefined) throw unknown('option of an aggregation', other);
    const make = FUNCTIONS[fn as string];
    if (make === undefined) throw unknown('function', String(fn));
    const name = `${fn}_${column}`;
    return { name, column: column as string, function: make(), window: lifetime() };
  });
  const fields = [...new Set(asked.map(({ column }) => column as string))];
  const rowCount = Object.values(columns)[0]?.length ?? 0;
  const groups = Array.from(Array(rowCount), (_, i) => groupBy.map((name) => columns[name]?.[i]));
  const rows = groups.map((group, i) => ({
    key: JSON.stringify(group),
    ts: i,
    ...Object.fromEntries(fields.map((name) => [name, columns[name]?.[i]])),
  }));
  await using world = await WindowWorld.open({
    columns: Object.fromEntries(fields.map((name) => [name, typeOfValues(columns[name] ?? [])])),
    aggregations,
    graceMs: 0,
    nowMs: 0,
  });
  await world.append(rows, 0);
  const distinct = new Map(groups.map((group) => [JSON.stringify(group), group]));
  const rising = [...distinct].sort(([, a], [, b]) => compareGroups(a, b));
  const values = await Promise.all(rising.map(([key]) => world.online(key, rowCount)));
  return Object.fromEntries([
    ...groupBy.map((name, g) => [name, rising.map(([, group]) => group[g])]),
    ...aggregations.map(({ name }) => [name, values.map((row) => row[name])]),
  ]);
}

function compareGroups(a: readonly unknown[], b: readonly unknown[]): number {
  for (const [i, value] of a.entries()) {
    if (value !== b[i]) return (value as number) < (b[i] as number) ? -1 : 1;
  }
  return 0;
}

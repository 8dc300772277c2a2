import type { FieldType, FieldValue } from '../core/field-type.ts';
import { type Column, makeColumn } from '../core/row-batch.ts';
import {
  type ColumnAppender,
  type Duckdb,
  type DuckdbConnection,
  fieldTypeToSql,
} from '../duckdb/index.ts';
import { createTransformRunner, type FeaturePlan, type PlannedOutput } from '../transform/index.ts';
import type { LabelTable } from './entity-rows.ts';
import { parseJson, valuesOf } from './output.ts';

/** The tables of one answer, each with one row a label. */
export interface JoinedTables {
  readonly labels: LabelTable;
  /** All of them side by side. */
  readonly from: string;
  /** The SQL of a feature of a read. */
  readonly sqlOf: (read: number, slot: number) => string;
}

/** Outputs of on-demand views that were asked for, in request order: columns `f0, f1, …` of their table. */
export function transformOutputs({ outputs }: FeaturePlan): PlannedOutput[] {
  return outputs.filter(({ from }) => from.kind === 'transform');
}

/**
 * Runs the on-demand views of a plan over the joined rows, chunk by chunk, into a table with one
 * row a label.
 * @throws FreshetError as `TransformRunner.run`
 */
export async function runTransforms(
  duckdb: Duckdb,
  connection: DuckdbConnection,
  plan: FeaturePlan,
  tables: JoinedTables,
  target: string,
): Promise<void> {
  const outputs = transformOutputs(plan);
  const types = outputs.map(({ type }) => type);
  const declared = types.map((type, i) => `f${i} ${fieldTypeToSql(type)}`);
  await connection.run(`CREATE TABLE ${target} (${declared.join(', ')})`);
  const inputs = inputColumns(plan, tables);
  const runner = createTransformRunner(plan);
  const appender = await connection.appender(target, types);
  try {
    let firstRow = 0;
    // The stream has a connection to itself, so that appending beside it is allowed.
    for await (const chunk of duckdb.stream(inputs.sql)) {
      const count = chunk.rowCount;
      const values = (name: string): FieldValue[] | undefined => {
        const index = inputs.positions.get(name);
        if (index === undefined) return undefined;
        const column = chunk.column(index);
        return valuesOf(inputs.types[index] === 'json' ? parseJson(column) : column, count);
      };
      const results = runner.run({
        count,
        firstRow,
        feature: (read, slot) => values(`read ${read} ${slot}`) ?? [],
        request: (name) => values(`label ${name}`),
      });
      appendResults(appender, outputs, results, count);
      firstRow += count;
    }
  } finally {
    appender.close();
  }
}

interface InputColumns {
  readonly sql: string;
  readonly positions: ReadonlyMap<string, number>;
  readonly types: readonly (FieldType | null)[];
}

function inputColumns(plan: FeaturePlan, tables: JoinedTables): InputColumns {
  const { labels, from, sqlOf } = tables;
  const found = new Map<string, { readonly sql: string; readonly type: FieldType | null }>();
  for (const { inputs, requestFields } of plan.transforms) {
    for (const { read, slot } of inputs) {
      const type = plan.reads[read]?.types[slot] as FieldType;
      found.set(`read ${read} ${slot}`, { sql: sqlOf(read, slot), type });
    }
    for (const { name } of requestFields) {
      const index = labels.columns.findIndex((column) => column.name === name);
      const type = labels.columns[index]?.type ?? null;
      found.set(`label ${name}`, { sql: `${labels.table}.c${index}`, type });
    }
  }
  // A transform may need nothing at all: then its rows are counted by the time of the label.
  const columns = [`${labels.table}.q`, ...[...found.values()].map(({ sql }) => sql)];
  return {
    sql: `SELECT ${columns.join(', ')} FROM ${from}`,
    positions: new Map([...found.keys()].map((name, i) => [name, i + 1])),
    types: [null, ...[...found.values()].map(({ type }) => type)],
  };
}

function appendResults(
  appender: ColumnAppender,
  outputs: readonly PlannedOutput[],
  results: readonly (readonly (readonly FieldValue[])[])[],
  count: number,
): void {
  const columns = outputs.map(({ type, from }): Column => {
    const column = makeColumn(type, count);
    const target = column.values as FieldValue[];
    const values = results[from.index]?.[from.slot] as readonly FieldValue[];
    for (let i = 0; i < count; i++) {
      const value = values[i] as FieldValue;
      if (value === null) continue;
      target[i] = type === 'bool' ? Number(value) : value;
      column.valid[i] = 1;
    }
    return column;
  });
  appender.append(columns, 0, count);
}

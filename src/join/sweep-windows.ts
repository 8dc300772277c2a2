/**
 * Windowed views in a historical join: one ordered sweep over the rows and the labels of each
 * entity, with the code that keeps the online windows. A label sees the rows that had come by its
 * time, each counted or not by how late it was, as it was counted online.
 */

import { assert } from '../core/assert.ts';
import type { FieldType, FieldValue, Schema } from '../core/field-type.ts';
import { type Column, makeColumn, type RowBatch, rowLayout } from '../core/row-batch.ts';
import type { SourceRank } from '../core/row-order.ts';
import { fieldsRead } from '../definition/index.ts';
import {
  type ColumnChunk,
  type Duckdb,
  type DuckdbConnection,
  fieldTypeToSql,
} from '../duckdb/index.ts';
import type { PlannedRead } from '../transform/index.ts';
import {
  applyRow,
  firstReachableTile,
  MemoryWindows,
  planWindows,
  readWindows,
  type WindowPlan,
  type WindowRows,
  windowRowReader,
} from '../window/index.ts';
import type { JoinRules } from './join-plan.ts';
import type { LabelSource } from './join-sql.ts';
import { parseJson } from './output.ts';
import type { RowRelation } from './row-relation.ts';
import { entitiesSql, type SweptField, sweptLabelsSql, sweptRowsSql } from './sweep-sql.ts';

export interface WindowSweep {
  readonly duckdb: Duckdb;
  readonly connection: DuckdbConnection;
  readonly read: PlannedRead;
  readonly relations: readonly RowRelation[];
  readonly rules: JoinRules;
  readonly labels: LabelSource;
  /** Event times of the rows that any label can see, microseconds; null without labels. */
  readonly toUs: number | null;
  /** The table to make: one row a label, in label order, with columns `f0, f1, …`. */
  readonly table: string;
}

/** Values appended at a time. */
const RESULT_ROWS = 2_048;
/** Labels of an entity between two clean-ups of tiles that none of the next can reach. */
const LABELS_BETWEEN_DROPS = 64;

/** @throws FreshetError TRANSFORM_FAILED when `where` or `derive` of the view fails */
export async function sweepWindows(sweep: WindowSweep): Promise<void> {
  const { connection, read, labels, table, rules, relations, toUs } = sweep;
  const entities = `${table}_entities`;
  const results = `${table}_results`;
  const declared = read.types.map((type, i) => `f${i} ${fieldTypeToSql(type)}`);
  try {
    await connection.run(entitiesSql(read, labels, entities));
    await connection.run(`CREATE OR REPLACE TABLE ${results} (id BIGINT, ${declared.join(', ')})`);
    const source = read.view.streamSource ?? read.view.batchSource;
    assert(source !== null, `view "${read.view.name}" has no source`);
    const options = { rules, toUs, entities };
    const rowsSql = sweptRowsSql(read, relations, sweptFields(read, source.schema), options);
    await writeResults(sweep, results, rowsSql, sweptLabelsSql(read, labels, rules, entities));
    const features = read.features.map((_, i) => `r.f${i}`).join(', ');
    await connection.run(
      `CREATE OR REPLACE TABLE ${table} AS SELECT ${features} FROM ${labels.table} l ` +
        `LEFT JOIN ${results} r ON l.rowid = r.id ORDER BY l.rowid`,
    );
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${entities}`);
    await connection.run(`DROP TABLE IF EXISTS ${results}`);
  }
}

/** Fields that a slot, `where` or `derive` reads; all of them where a function does not show which. */
function sweptFields({ view }: PlannedRead, schema: Schema): SweptField[] {
  const { windowing } = view;
  assert(windowing !== null, `view "${view.name}" has no windows`);
  const { where, derive } = windowing;
  const functions = [
    ...(where === null ? [] : [where]),
    ...Object.values(derive).map(({ of }) => of),
  ];
  const byFunctions = functions.map((fn) => fieldsRead(fn));
  const slots = new Set(planWindows(view, windowing).columns.map(({ name }) => name));
  const isRead = (name: string): boolean =>
    slots.has(name) || byFunctions.some((fields) => fields === null || fields.has(name));
  return Object.entries(schema).map(([name, type]) => ({ name, type, isRead: isRead(name) }));
}

async function writeResults(
  { duckdb, connection, read }: WindowSweep,
  table: string,
  rowsSql: string,
  labelsSql: string,
): Promise<void> {
  const types: FieldType[] = ['int64', ...read.types];
  const appender = await connection.appender(table, types);
  const out = new ResultColumns(types);
  // Each stream has a connection to itself.
  const rows = new RowCursor(read, duckdb.stream(rowsSql));
  const entity = new EntitySweep(read, rows);
  try {
    for await (const chunk of duckdb.stream(labelsSql)) {
      const n = chunk.column(0).values as Float64Array;
      const id = chunk.column(1).values as BigInt64Array;
      const q = chunk.column(2).values as Float64Array;
      for (let i = 0; i < chunk.rowCount; i++) {
        const values = await entity.at(n[i] as number, q[i] as number);
        if (values === null) continue;
        out.add(id[i] as bigint, read.features, values);
        if (out.count === RESULT_ROWS)
          out.flush((columns, count) => appender.append(columns, 0, count));
      }
    }
    out.flush((columns, count) => appender.append(columns, 0, count));
  } finally {
    appender.close();
    await rows.close();
  }
}

/** The windows of the entity at hand, moved forward through its rows. */
class EntitySweep {
  readonly #read: PlannedRead;
  readonly #rows: RowCursor;
  readonly #plan: WindowPlan;
  /** By group: the first tile that the label at hand, or a later one, can reach. */
  readonly #firstTiles: number[] = [];
  #windows = new MemoryWindows();
  #entity = 0;
  #labels = 0;

  constructor(read: PlannedRead, rows: RowCursor) {
    this.#read = read;
    this.#rows = rows;
    this.#plan = rows.plan;
  }

  /** Values of entity `n` at a time; null where there are none. Entities and times only rise. */
  async at(n: number, atUs: number): Promise<ReadonlyMap<string, FieldValue> | null> {
    if (n !== this.#entity) {
      this.#entity = n;
      this.#windows = new MemoryWindows();
      this.#labels = 0;
    }
    const { graceUs, ttlUs } = this.#read.view;
    const rows = this.#rows;
    for (const [g, group] of this.#plan.groups.entries()) {
      this.#firstTiles[g] = firstReachableTile(group, atUs) ?? Number.NEGATIVE_INFINITY;
    }
    while (rows.isAvailable || (await rows.advance())) {
      const { entity } = rows;
      if (entity > n || (entity === n && rows.knownUs > atUs)) break;
      if (entity === n) rows.apply(this.#windows, graceUs, this.#firstTiles);
      rows.next();
    }
    if (++this.#labels % LABELS_BETWEEN_DROPS === 0) this.#drop();
    const { head } = this.#windows;
    if (head === null || (ttlUs !== null && atUs - head.newestUs > ttlUs)) return null;
    const { values } = readWindows(this.#plan, this.#windows, atUs);
    return values.size === 0 ? null : values;
  }

  #drop(): void {
    for (const [g, group] of this.#plan.groups.entries()) {
      this.#windows.dropBelow(group, this.#firstTiles[g] as number);
    }
  }
}

/** Rows in the order of the sweep, chunk by chunk. */
class RowCursor {
  readonly plan: WindowPlan;
  readonly #read: PlannedRead;
  readonly #chunks: AsyncIterator<ColumnChunk>;
  readonly #windowRows: (rows: RowBatch) => WindowRows;
  #rows: SweptRows | null = null;
  #i = 0;
  #done = false;

  constructor(read: PlannedRead, chunks: AsyncIterable<ColumnChunk>) {
    const { view } = read;
    const source = view.streamSource ?? view.batchSource;
    assert(view.windowing !== null && source !== null, `view "${view.name}" has no windows`);
    this.plan = planWindows(view, view.windowing);
    this.#read = read;
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#windowRows = windowRowReader(view, view.windowing, this.plan, rowLayout(source.schema));
  }

  /** Whether a row is at hand; otherwise `advance` looks for one. */
  get isAvailable(): boolean {
    return this.#rows !== null && this.#i < this.#rows.batch.count;
  }

  get entity(): number {
    return this.#rows?.entities[this.#i] as number;
  }

  get knownUs(): number {
    return this.#rows?.knownUs[this.#i] as number;
  }

  /** Fetches the next chunk; false at the end. */
  async advance(): Promise<boolean> {
    while (!this.#done) {
      const { value, done } = await this.#chunks.next();
      this.#done = done === true;
      if (this.#done) break;
      this.#rows = sweptRows(this.#read, value, this.#windowRows);
      this.#i = 0;
      if (this.isAvailable) return true;
    }
    return false;
  }

  next(): void {
    this.#i++;
  }

  apply(windows: MemoryWindows, graceUs: number, firstTiles: readonly number[]): void {
    const rows = this.#rows as SweptRows;
    const i = this.#i;
    if (rows.window.passes[i] === 0) return;
    const inOrder = {
      eventTimesUs: rows.batch.eventTimesUs,
      createdTimesUs: rows.batch.createdTimesUs,
      offsets: rows.batch.offsets,
      rank: rows.ranks[i] as SourceRank,
      partition: rows.partitions[i] as number,
    };
    const lateByUs = rows.lateByUs[i] as number;
    applyRow(this.plan, graceUs, windows, rows.window.columns, inOrder, i, lateByUs, firstTiles);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

interface SweptRows {
  readonly entities: Float64Array;
  readonly knownUs: Float64Array;
  readonly lateByUs: Float64Array;
  readonly ranks: Int32Array;
  readonly partitions: Int32Array;
  readonly batch: RowBatch;
  readonly window: WindowRows;
}

/** Columns in front of the fields: n, known, e, created, late, rank, _partition, _offset. */
const SYSTEM_COLUMNS = 8;

function sweptRows(
  read: PlannedRead,
  chunk: ColumnChunk,
  windowRows: (rows: RowBatch) => WindowRows,
): SweptRows {
  const source = read.view.streamSource ?? read.view.batchSource;
  const layout = rowLayout(source?.schema ?? {});
  const numbers = (c: number): Float64Array => chunk.column(c).values as Float64Array;
  const columns = lazyColumns(layout.types.length, (f): Column => {
    const type = layout.types[f] as FieldType;
    const column = chunk.column(SYSTEM_COLUMNS + f);
    return type === 'json' ? parseJson(column) : { ...column, type };
  });
  const eventTimesUs = numbers(2);
  const batch: RowBatch = {
    layout,
    count: chunk.rowCount,
    columns,
    offsets: numbers(7),
    eventTimesUs,
    createdTimesUs: numbers(3),
    arrivalTimesUs: eventTimesUs,
  };
  return {
    entities: numbers(0),
    knownUs: numbers(1),
    lateByUs: numbers(4),
    ranks: chunk.column(5).values as Int32Array,
    partitions: chunk.column(6).values as Int32Array,
    batch,
    window: windowRows(batch),
  };
}

/** Columns that are read when they are first looked at: most views look at a few of their source's. */
function lazyColumns(count: number, read: (index: number) => Column): readonly Column[] {
  const columns: Column[] = new Array(count);
  for (let index = 0; index < count; index++) {
    const get = (): Column => {
      const value = read(index);
      Object.defineProperty(columns, index, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(columns, index, { get, configurable: true, enumerable: true });
  }
  return columns;
}

/** Results on their way to the table, column by column. */
class ResultColumns {
  readonly #types: readonly FieldType[];
  #columns: Column[];
  count = 0;

  constructor(types: readonly FieldType[]) {
    this.#types = types;
    this.#columns = types.map((type) => makeColumn(type, RESULT_ROWS));
  }

  add(id: bigint, features: readonly string[], values: ReadonlyMap<string, FieldValue>): void {
    this.#put(0, id);
    for (const [f, feature] of features.entries()) this.#put(f + 1, values.get(feature) ?? null);
    this.count++;
  }

  flush(append: (columns: readonly Column[], count: number) => void): void {
    if (this.count === 0) return;
    append(this.#columns, this.count);
    this.#columns = this.#types.map((type) => makeColumn(type, RESULT_ROWS));
    this.count = 0;
  }

  #put(c: number, value: FieldValue): void {
    if (value === null) return;
    const column = this.#columns[c] as Column;
    column.valid[this.count] = 1;
    (column.values as FieldValue[])[this.count] = column.type === 'bool' ? Number(value) : value;
  }
}

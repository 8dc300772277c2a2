import { assert } from '../core/assert.ts';
import type { Clock } from '../core/clock.ts';
import { type Catalog, definitionRecord, viewFingerprint } from '../definition/index.ts';
import { type Duckdb, type DuckdbConnection, quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { inSpan, type SpanAttributes } from '../telemetry/index.ts';
import { type FeaturePlan, planFeatures } from '../transform/index.ts';
import type { LabelTable } from './entity-rows.ts';
import { explainPlan } from './explain.ts';
import { gatherPlan } from './gather-plan.ts';
import type {
  HistoricalExplanation,
  HistoricalJob,
  HistoricalMetadata,
} from './historical-features.ts';
import { type AnyHistoricalRequest, requireRowsOrRange, rulesOf } from './historical-request.ts';
import type { JoinPlan, JoinRules } from './join-plan.ts';
import { readJoinSql, unorderedJoinSql } from './join-sql.ts';
import { featureSql, type JoinedReads, joinedReads } from './joined-reads.ts';
import { loadQuery } from './load-query.ts';
import { loadRows } from './load-rows.ts';
import type { OutputColumn } from './output.ts';
import type { SourcedRead } from './read-facts.ts';
import { relationsOf } from './relations-of.ts';
import type { RowRelation } from './row-relation.ts';
import { runTransforms, transformOutputs } from './run-transforms.ts';
import { loadSpine, resolveRange } from './spine.ts';
import { sweepWindows } from './sweep-windows.ts';
import type { KnownAtFiles, KnownAtOffsets, RowsOf } from './view-rows.ts';

export interface JobOptions {
  readonly duckdb: Duckdb;
  readonly catalog: Catalog;
  readonly rowsOf: RowsOf;
  readonly clock: Clock;
  readonly beginRead?: () => () => void;
}

/** Loads the labels and plans one request; its tables have names that begin with `prefix`. */
export async function prepareJob(
  options: JobOptions,
  request: AnyHistoricalRequest,
  prefix: string,
): Promise<HistoricalJob> {
  requireRowsOrRange(request);
  const rules = rulesOf(request);
  const features = planFeatures(options.catalog, request);
  const endRead = options.beginRead?.() ?? (() => {});
  try {
    return await planJob(options, request, prefix, { rules, features, endRead });
  } catch (thrown) {
    endRead();
    throw thrown;
  }
}

async function planJob(
  options: JobOptions,
  request: AnyHistoricalRequest,
  prefix: string,
  {
    rules,
    features,
    endRead,
  }: {
    readonly rules: JoinRules;
    readonly features: FeaturePlan;
    readonly endRead: () => void;
  },
): Promise<HistoricalJob> {
  const { knownAtOffsets: offsets, knownAtFiles: files } = request;
  const relations = await relationsOf(features, options.rowsOf, { offsets, files });
  const connection = await options.duckdb.connect();
  try {
    const load: LabelLoad = { options, connection, request, features, relations, rules };
    const labels = await loadLabels(load, `${prefix}_labels`);
    const reads = features.reads.map(
      (read, i): SourcedRead => ({
        read,
        relations: relations[i] as readonly RowRelation[],
        labels: {
          table: labels.table,
          keyColumns: read.keys.map(({ column }) => cell(labels, column)),
        },
      }),
    );
    const strategy = request.joinStrategy ?? null;
    const plan = await gatherPlan(connection, labels, reads, rules, strategy);
    const joined = joinedReads(reads, plan, (index) => `${prefix}_read_${index}`);
    const prepared = { prefix, features, labels, reads, plan, joined };
    return new Job(options.duckdb, connection, prepared, endRead);
  } catch (thrown) {
    await dropTables(connection, [`${prefix}_labels`]);
    await connection.close();
    throw thrown;
  }
}

interface LabelLoad {
  readonly options: JobOptions;
  readonly connection: DuckdbConnection;
  readonly request: AnyHistoricalRequest;
  readonly features: FeaturePlan;
  readonly relations: readonly (readonly RowRelation[])[];
  readonly rules: JoinRules;
}

async function loadLabels(load: LabelLoad, table: string): Promise<LabelTable> {
  const { options, connection, request, features } = load;
  const { entityRows, startTime, endTime } = request;
  if (entityRows === undefined) {
    const range = resolveRange(features, startTime, endTime, options.clock);
    return loadSpine(connection, table, { ...load, range });
  }
  return Array.isArray(entityRows)
    ? loadRows(connection, table, entityRows, features)
    : loadQuery(
        connection,
        table,
        entityRows as Exclude<typeof entityRows, readonly object[]>,
        features,
      );
}

interface Prepared {
  readonly prefix: string;
  readonly features: FeaturePlan;
  readonly labels: LabelTable;
  readonly reads: readonly SourcedRead[];
  readonly plan: JoinPlan;
  readonly joined: readonly JoinedReads[];
}

class Job implements HistoricalJob {
  readonly metadata: HistoricalMetadata;
  readonly explanation: HistoricalExplanation;
  readonly columns: readonly OutputColumn[];
  readonly #duckdb: Duckdb;
  readonly #connection: DuckdbConnection;
  readonly #prepared: Prepared;
  readonly #endRead: () => void;
  #joined: Promise<string> | null = null;
  #closed = false;

  constructor(
    duckdb: Duckdb,
    connection: DuckdbConnection,
    prepared: Prepared,
    endRead: () => void,
  ) {
    this.#endRead = endRead;
    this.#duckdb = duckdb;
    this.#connection = connection;
    this.#prepared = prepared;
    this.columns = outputColumns(prepared);
    this.metadata = metadataOf(prepared, this.columns);
    this.explanation = {
      ...prepared.plan,
      text: explainPlan(prepared.plan, prepared.features.reads),
    };
  }

  ready(): Promise<string> {
    if (this.#closed) {
      throw new FreshetError('STORE_CLOSED', 'these historical features are closed');
    }
    // The answer is in tables then: no file is looked at any more.
    this.#joined ??= inSpan(
      () => ({ name: 'join', attributes: this.#facts() }),
      () => this.#join(),
    ).then((sql) => {
      this.#endRead();
      return sql;
    });
    return this.#joined;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // A failed join has told its caller; here it only has to be over.
    await this.#joined?.catch(() => {});
    this.#endRead();
    if (this.#connection.isClosed) return; // with its database, and the tables are gone, too
    await dropTables(this.#connection, [this.#prepared.labels.table, ...this.#resultTables()]);
    await this.#connection.close();
  }

  /**
   * Tables of joined reads, one statement after another: views that are joined one by one in one
   * statement would multiply the memory. Each table has one row a label in label order, so that
   * putting them side by side needs neither a join nor a sort, and the answer streams.
   */
  async #join(): Promise<string> {
    const { prefix, features, labels, plan, joined } = this.#prepared;
    const connection = this.#connection;
    if (isAlone(this.#prepared)) return this.#joinAlone();
    for (const { table, sourced, plan: readPlan } of joined) {
      if (readPlan.strategy === 'sweep') {
        const { toUs } = readPlan.bounds;
        const base = { duckdb: this.#duckdb, connection, toUs, table, rules: plan.rules };
        await sweepWindows({ ...base, ...sourced });
      } else {
        const sql = readJoinSql({ ...sourced, plan: readPlan, rules: plan.rules });
        await connection.run(`CREATE OR REPLACE TABLE ${table} AS ${sql}`);
      }
      await requireRowCount(connection, table, labels.rowCount);
    }
    if (features.transforms.length > 0) {
      const from = [labels.table, ...joined.map(({ table }) => table)].join(' POSITIONAL JOIN ');
      const tables = { labels, from, sqlOf: featureSqlOf(this.#prepared) };
      await runTransforms(this.#duckdb, connection, features, tables, transformTable(prefix));
      await requireRowCount(connection, transformTable(prefix), labels.rowCount);
    }
    const from = [labels.table, ...this.#resultTables()].join(' POSITIONAL JOIN ');
    return `SELECT ${this.#columnsSql()} FROM ${from}`;
  }

  /**
   * What is joined comes beside its labels where the answer is written, on all threads. A table in
   * label order would be sorted by itself first, and be put beside the labels by one.
   */
  async #joinAlone(): Promise<string> {
    const { labels, plan, joined } = this.#prepared;
    const [{ table, sourced, plan: readPlan }] = joined as [JoinedReads];
    const sql = unorderedJoinSql({ ...sourced, plan: readPlan, rules: plan.rules });
    await this.#connection.run(`CREATE OR REPLACE TABLE ${table} AS ${sql}`);
    const place = `${labels.table}.rowid`;
    return `SELECT ${this.#columnsSql()} FROM ${labels.table} LEFT JOIN ${table} ON ${table}.id = ${place} ORDER BY ${place}`;
  }

  #columnsSql(): string {
    return this.columns.map(({ sql, name }) => `${sql} AS ${quoteIdentifier(name)}`).join(', ');
  }

  #facts(): SpanAttributes {
    const { labels, reads, plan } = this.#prepared;
    return {
      views: reads.map(({ read }) => read.view.name),
      strategies: plan.reads.map(({ strategy }) => strategy),
      labels: labels.rowCount,
    };
  }

  #resultTables(): string[] {
    const { prefix, features, joined } = this.#prepared;
    const tables = joined.map(({ table }) => table);
    return features.transforms.length === 0 ? tables : [...tables, transformTable(prefix)];
  }
}

/** One statement has all the features. */
function isAlone({ features, joined }: Prepared): boolean {
  return (
    features.transforms.length === 0 && joined.length === 1 && joined[0]?.plan.strategy !== 'sweep'
  );
}

function featureSqlOf({ joined, reads }: Prepared): (read: number, slot: number) => string {
  return (read, slot) => featureSql(joined, reads, read, slot);
}

function transformTable(prefix: string): string {
  return `${prefix}_transforms`;
}

/** The column of the table of labels that holds a column of the entity rows. */
function cell({ columns }: LabelTable, name: string): string {
  const index = columns.findIndex((column) => column.name === name);
  assert(index !== -1, `the labels have no column ${name}`);
  return `c${index}`;
}

function outputColumns(prepared: Prepared): OutputColumn[] {
  const { prefix, features, labels } = prepared;
  const sqlOf = featureSqlOf(prepared);
  const entity = labels.columns.map(
    ({ name, type }, i): OutputColumn => ({
      name,
      from: 'entity',
      type,
      sql: `${labels.table}.c${i}`,
    }),
  );
  const transformed = transformOutputs(features);
  const outputs = features.outputs.map((output): OutputColumn => {
    const { kind, index, slot } = output.from;
    const sql =
      kind === 'read'
        ? sqlOf(index, slot)
        : `${transformTable(prefix)}.f${transformed.indexOf(output)}`;
    return { name: output.name, from: 'feature', type: output.type, sql };
  });
  return [...entity, ...outputs];
}

function metadataOf(
  { features, labels, reads }: Prepared,
  columns: readonly OutputColumn[],
): HistoricalMetadata {
  return {
    rowCount: labels.rowCount,
    columns: columns.map(({ name, from }) => ({ name, from })),
    features: features.outputs.map(({ alias, feature }) => `${alias}:${feature}`),
    keys: labels.columns.map(({ name }) => name).filter((name) => name !== labels.timeColumn),
    minEventTimestampUs: labels.minTimeUs,
    maxEventTimestampUs: labels.maxTimeUs,
    known: knownOffsets(reads),
    knownFiles: knownFiles(reads),
    fingerprints: fingerprintsOf(features),
  };
}

function fingerprintsOf({ reads, transforms }: FeaturePlan): Record<string, string> {
  return Object.fromEntries([
    ...reads.map(({ view }) => [view.name, viewFingerprint(view)] as const),
    ...transforms.map(({ view }) => [view.name, definitionRecord(view).fingerprint] as const),
  ]);
}

/** By topic; views of one source see the same rows. */
function knownOffsets(reads: readonly SourcedRead[]): KnownAtOffsets {
  const known = reads.flatMap(({ relations }) => relations.flatMap((each) => each.known ?? []));
  const topics = known.flatMap((each) => ('topic' in each ? [[each.topic, each.endOffsets]] : []));
  return Object.fromEntries(topics);
}

/** By Parquet source. */
function knownFiles(reads: readonly SourcedRead[]): KnownAtFiles {
  const known = reads.flatMap(({ relations }) => relations.flatMap((each) => each.known ?? []));
  const sources = known.flatMap((each) => ('source' in each ? [[each.source, each.files]] : []));
  return Object.fromEntries(sources);
}

async function requireRowCount(
  connection: DuckdbConnection,
  table: string,
  expected: number,
): Promise<void> {
  const [row] = await connection.query(`SELECT count(*) AS n FROM ${table}`);
  assert(Number(row?.['n']) === expected, `${table} has ${row?.['n']} rows for ${expected} labels`);
}

async function dropTables(connection: DuckdbConnection, tables: readonly string[]): Promise<void> {
  for (const table of tables) await connection.run(`DROP TABLE IF EXISTS ${table}`);
}

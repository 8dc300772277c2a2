/**
 * The one place that owns DuckDB: an in-memory database that reads and writes Parquet, sorts,
 * joins and spills. It never reaches for the network and knows no time zone but UTC.
 *
 * `memoryLimitBytes` bounds DuckDB's own buffers; the process needs about 200 MB beside them.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  blobValue,
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBValue,
  timestampValue,
} from '@duckdb/node-api';
import { assert } from '../core/assert.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { columnValue } from '../core/row-batch.ts';
import { US_PER_MS } from '../core/time.ts';
import { type ColumnAppender, createColumnAppender } from './appender.ts';
import { type ColumnChunk, chunkReader } from './column-chunk.ts';
import { toDuckdbError } from './duckdb-error.ts';
import { quoteLiteral } from './sql.ts';

export interface DuckdbOptions {
  /** Default 512 MiB: sorts and joins that need more spill, and lose little time by it. */
  readonly memoryLimitBytes?: number;
  /** Default 2. */
  readonly threads?: number;
  /** Where sorts and joins spill; made when first needed. Default: in the system's own. */
  readonly tempDirectory?: string;
}

const MEMORY_LIMIT_BYTES = 512 * 1024 * 1024;
const THREADS = 2;

/** A value of a `$1` parameter. A Date is a TIMESTAMP in UTC. */
export type SqlParameter = null | number | bigint | string | boolean | Uint8Array | Date;

export type SqlRow = Record<string, FieldValue>;

/**
 * One connection: temporary tables belong to it. Statements run one after another; while a stream
 * is being read, nothing else may run on the same connection.
 */
export interface DuckdbConnection extends AsyncDisposable {
  /** Runs statements whose result does not matter. */
  run(sql: string, parameters?: readonly SqlParameter[]): Promise<void>;
  /** A small result as row objects; values as `ColumnChunk` maps them. */
  query(sql: string, parameters?: readonly SqlParameter[]): Promise<SqlRow[]>;
  /** A large result, chunk by chunk (2,048 rows); breaking off ends the query. */
  stream(sql: string, parameters?: readonly SqlParameter[]): AsyncIterable<ColumnChunk>;
  /** Feeds a table whose columns have the SQL types of `types`, in order. */
  appender(table: string, types: readonly FieldType[]): Promise<ColumnAppender>;
  /** Whether it is closed, or its database is. */
  readonly isClosed: boolean;
  /** Idempotent. */
  close(): Promise<void>;
}

/** The database with a connection of its own; `stream` always has one to itself. */
export interface Duckdb extends DuckdbConnection {
  connect(): Promise<DuckdbConnection>;
}

/** @throws FreshetError as `toDuckdbError` maps it */
export async function openDuckdb(options: DuckdbOptions = {}): Promise<Duckdb> {
  const {
    memoryLimitBytes = MEMORY_LIMIT_BYTES,
    threads = THREADS,
    tempDirectory = join(tmpdir(), `freshet-duckdb-${process.pid}`),
  } = options;
  const instance = await guarded(
    DuckDBInstance.create(':memory:', {
      memory_limit: `${memoryLimitBytes}B`,
      threads: String(threads),
      temp_directory: tempDirectory,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
    }),
  );
  const database = new Database(instance, await guarded(instance.connect()));
  // It goes by a file's time, which two writes within some milliseconds share, and which damage keeps.
  await database.run('SET GLOBAL enable_external_file_cache = false');
  await database.run(`SET GLOBAL TimeZone = ${quoteLiteral('UTC')}`);
  return database;
}

class Connection implements DuckdbConnection {
  protected readonly connection: DuckDBConnection;
  #streaming = false;
  #closed = false;

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  async run(sql: string, parameters?: readonly SqlParameter[]): Promise<void> {
    this.#requireIdle();
    await guarded(this.connection.run(sql, toValues(parameters)));
  }

  async query(sql: string, parameters?: readonly SqlParameter[]): Promise<SqlRow[]> {
    this.#requireIdle();
    const result = await guarded(this.connection.run(sql, toValues(parameters)));
    const read = chunkReader(result.deduplicatedColumnNames(), result.columnTypes());
    const rows: SqlRow[] = [];
    for (const chunk of await guarded(result.fetchAllChunks())) pushRows(read(chunk), rows);
    return rows;
  }

  async *stream(sql: string, parameters?: readonly SqlParameter[]): AsyncIterable<ColumnChunk> {
    this.#requireIdle();
    this.#streaming = true;
    try {
      const result = await guarded(this.connection.stream(sql, toValues(parameters)));
      const read = chunkReader(result.deduplicatedColumnNames(), result.columnTypes());
      for (;;) {
        const chunk = await guarded(result.fetchChunk());
        if (chunk === null || chunk.rowCount === 0) return;
        yield read(chunk);
      }
    } finally {
      this.#streaming = false;
    }
  }

  async appender(table: string, types: readonly FieldType[]): Promise<ColumnAppender> {
    this.#requireIdle();
    return createColumnAppender(await guarded(this.connection.createAppender(table)), types);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.connection.closeSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** DuckDB would end the stream without a word. */
  #requireIdle(): void {
    assert(!this.#closed, 'the DuckDB connection is closed');
    assert(!this.#streaming, 'a stream of this DuckDB connection is still open');
  }
}

class Database extends Connection implements Duckdb {
  readonly #instance: DuckDBInstance;
  readonly #connections = new Set<DuckdbConnection>();

  constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    super(connection);
    this.#instance = instance;
  }

  async connect(): Promise<DuckdbConnection> {
    const connection = new ListedConnection(
      await guarded(this.#instance.connect()),
      this.#connections,
    );
    this.#connections.add(connection);
    return connection;
  }

  override async *stream(
    sql: string,
    parameters?: readonly SqlParameter[],
  ): AsyncIterable<ColumnChunk> {
    await using connection = await this.connect();
    yield* connection.stream(sql, parameters);
  }

  override async close(): Promise<void> {
    for (const connection of this.#connections) await connection.close();
    await super.close();
    this.#instance.closeSync();
  }
}

class ListedConnection extends Connection {
  readonly #list: Set<DuckdbConnection>;

  constructor(connection: DuckDBConnection, list: Set<DuckdbConnection>) {
    super(connection);
    this.#list = list;
  }

  override async close(): Promise<void> {
    this.#list.delete(this);
    await super.close();
  }
}

async function guarded<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (thrown) {
    throw toDuckdbError(thrown);
  }
}

function toValues(parameters: readonly SqlParameter[] | undefined): DuckDBValue[] | undefined {
  return parameters?.map((value) => {
    if (value instanceof Uint8Array) return blobValue(value);
    if (value instanceof Date) return timestampValue(BigInt(value.getTime() * US_PER_MS));
    return value;
  });
}

function pushRows(chunk: ColumnChunk, rows: SqlRow[]): void {
  const columns = chunk.names.map((_, c) => chunk.column(c));
  for (let i = 0; i < chunk.rowCount; i++) {
    const row: SqlRow = {};
    for (let c = 0; c < columns.length; c++) {
      row[chunk.names[c] as string] = columnValue(columns[c]!, i);
    }
    rows.push(row);
  }
}

import type { RecordBatch, Schema, Table } from 'apache-arrow';
import type { FieldType } from '../core/field-type.ts';
import type { FileSystem } from '../core/fs.ts';
import type { Duckdb } from '../duckdb/index.ts';
import { quoteLiteral } from '../duckdb/index.ts';
import { arrowFileBytes, arrowSchema, arrowTable, recordBatch } from './arrow.ts';
import type { JoinPlan } from './join-plan.ts';
import { type HistoricalChunk, historicalChunk, type OutputColumn, rowsOfChunk } from './output.ts';
import type { KnownAtFiles, KnownAtOffsets } from './view-rows.ts';
import { PARQUET_COPY, writeBytes, writeWhole } from './write-file.ts';

/** What is known about an answer before it is read. */
export interface HistoricalMetadata {
  readonly rowCount: number;
  /** In order: the columns of the entity rows, then the features. */
  readonly columns: readonly { readonly name: string; readonly from: 'entity' | 'feature' }[];
  /** `view:feature` in the order of the request. */
  readonly features: readonly string[];
  /** Columns of the entity rows other than the timestamp. */
  readonly keys: readonly string[];
  /** Of the entity rows, or of the range that was asked for; null without rows. */
  readonly minEventTimestampUs: number | null;
  readonly maxEventTimestampUs: number | null;
  /** By topic, the offsets of its partitions below which rows are seen: `knownAtOffsets` of a repeat. */
  readonly known: KnownAtOffsets;
  /** By Parquet source, the files whose rows are seen: `knownAtFiles` of a repeat. */
  readonly knownFiles: KnownAtFiles;
  /** Of the views that were read, by name: equal for definitions that mean the same. */
  readonly fingerprints: Readonly<Record<string, string>>;
}

/** The plan as data, and as text for a person. */
export interface HistoricalExplanation extends JoinPlan {
  readonly text: string;
}

/** A prepared answer: what is read from it, and how to make it ready and give it up. */
export interface HistoricalJob {
  readonly metadata: HistoricalMetadata;
  readonly explanation: HistoricalExplanation;
  readonly columns: readonly OutputColumn[];
  /** Joins, once, and gives the query of the answer, with columns under their names. */
  ready(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Training rows. The first read joins; every read after it starts from the joined tables, which
 * `close` gives back (as does closing the store). Reads stream: no more than a chunk is held at
 * once, except by `toArray` and `toArrow`.
 */
export class HistoricalFeatures<Row extends object> implements AsyncIterable<Row>, AsyncDisposable {
  readonly metadata: HistoricalMetadata;
  readonly #job: HistoricalJob;
  readonly #duckdb: Duckdb;
  readonly #fs: FileSystem;

  constructor(job: HistoricalJob, duckdb: Duckdb, fs: FileSystem) {
    this.metadata = job.metadata;
    this.#job = job;
    this.#duckdb = duckdb;
    this.#fs = fs;
  }

  /** How each view is joined, and why; joins nothing. */
  explain(): HistoricalExplanation {
    return this.#job.explanation;
  }

  /** Rows in the order of the entity rows. */
  async *[Symbol.asyncIterator](): AsyncIterator<Row> {
    for await (const chunk of this.chunks()) yield* rowsOfChunk(chunk) as Row[];
  }

  async toArray(): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const chunk of this.chunks()) {
      for (const row of rowsOfChunk(chunk)) rows.push(row as Row);
    }
    return rows;
  }

  /** Up to 2,048 rows at a time, as columns. */
  async *chunks(): AsyncIterable<HistoricalChunk> {
    const sql = await this.#job.ready();
    for await (const chunk of this.#duckdb.stream(sql)) {
      yield historicalChunk(chunk, this.#job.columns);
    }
  }

  /** A Parquet file that is there whole or not at all. Timestamps are UTC; json is text. */
  async toParquet(path: string): Promise<void> {
    await this.#copy(path, PARQUET_COPY);
  }

  /** A CSV file with a header that is there whole or not at all. Timestamps are ISO 8601 UTC. */
  async toCsv(path: string): Promise<void> {
    await this.#copy(path, "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'");
  }

  async toArrow(): Promise<Table> {
    const batches: RecordBatch[] = [];
    for await (const batch of this.toArrowStream()) batches.push(batch);
    const names = this.#job.columns.map(({ name }) => name);
    const types = this.#job.columns.map(({ type }): FieldType => type ?? 'string');
    return arrowTable(batches[0]?.schema ?? arrowSchema(names, types), batches);
  }

  async *toArrowStream(): AsyncIterable<RecordBatch> {
    let schema: Schema | null = null;
    for await (const chunk of this.chunks()) {
      schema ??= arrowSchema(chunk.names, chunk.types);
      yield recordBatch(schema, chunk);
    }
  }

  /** An Arrow IPC file (Feather version 2) that is there whole or not at all. */
  async toArrowFile(path: string): Promise<void> {
    await writeWhole(this.#fs, path, (temporary) =>
      writeBytes(temporary, arrowFileBytes(this.toArrowStream())),
    );
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#job.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #copy(path: string, format: string): Promise<void> {
    const sql = await this.#job.ready();
    await using connection = await this.#duckdb.connect();
    await writeWhole(this.#fs, path, (temporary) =>
      connection.run(`COPY (${sql}) TO ${quoteLiteral(temporary)} (${format})`),
    );
  }
}

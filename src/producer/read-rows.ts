import { open } from 'node:fs/promises';
import type { Schema } from '../core/field-type.ts';
import type { TopicSource } from '../definition/index.ts';
import type { DuckdbConnection } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { readLines } from './read-lines.ts';
import { readTable } from './read-table.ts';
import type { RowReader } from './row-reader.ts';

/** A file of rows, or a stream of newline-delimited JSON such as standard input. */
export type RowInput =
  | { readonly format: RowInputFormat; readonly path: string }
  | { readonly format: 'ndjson'; readonly stream: AsyncIterable<Uint8Array> };

export type RowInputFormat = 'parquet' | 'csv' | 'ndjson';

export interface ReadRowsOptions {
  readonly input: RowInput;
  readonly source: TopicSource<Schema>;
  /** Reads Parquet and CSV. */
  readonly duckdb: DuckdbConnection;
  /** Column of a Parquet or CSV file by field name, where they differ. */
  readonly columnMap?: Readonly<Record<string, string>>;
}

const FORMATS: readonly (readonly [RegExp, RowInputFormat])[] = [
  [/\.parquet$/i, 'parquet'],
  [/\.(csv|tsv)(\.gz)?$/i, 'csv'],
  [/\.(ndjson|jsonl)$/i, 'ndjson'],
];

/** The format that the name of a file stands for. @throws FreshetError INVALID_ARGUMENT */
export function inputFormatOf(path: string): RowInputFormat {
  const found = FORMATS.find(([pattern]) => pattern.test(path));
  if (found !== undefined) return found[1];
  throw new FreshetError('INVALID_ARGUMENT', `the format of ${path} is not clear from its name`, {
    next: 'Name the format: parquet, csv or ndjson.',
  });
}

/**
 * Rows of a file in its order, ready for `FeatureProducer.send`.
 * @throws FreshetError COLUMN_MISSING, PARQUET_INVALID, INVALID_ARGUMENT for a file that is not there
 */
export async function readRows(options: ReadRowsOptions): Promise<RowReader> {
  const { input } = options;
  if (input.format !== 'ndjson') {
    const { source, duckdb, columnMap = {} } = options;
    return readTable({ duckdb, source, columnMap, format: input.format, path: input.path });
  }
  if ('stream' in input) return { rowsTotal: null, batches: readLines(input.stream) };
  return { rowsTotal: null, batches: readLines(await openFile(input.path)) };
}

async function openFile(path: string): Promise<AsyncIterable<Uint8Array>> {
  try {
    const file = await open(path);
    return file.createReadStream() as AsyncIterable<Uint8Array>;
  } catch (thrown) {
    const what = thrown instanceof Error ? thrown.message : String(thrown);
    throw new FreshetError('INVALID_ARGUMENT', what, { where: { file: path }, cause: thrown });
  }
}

/** What the tests of the segments share: batches from row objects, a folder, a database. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Schema } from '../../src/core/field-type.ts';
import { type Column, makeColumn, type RowBatch, rowLayout } from '../../src/core/row-batch.ts';
import { NO_CREATED_TIME_US } from '../../src/core/row-order.ts';
import { type Duckdb, openDuckdb } from '../../src/duckdb/index.ts';
import { type FileStore, localFiles, type SegmentEntry } from '../../src/segment/index.ts';

export type Row = Readonly<Record<string, unknown>>;

export interface Workplace extends AsyncDisposable {
  readonly directory: string;
  readonly files: FileStore;
  readonly duckdb: Duckdb;
}

export async function openWorkplace(): Promise<Workplace> {
  const root = mkdtempSync(join(tmpdir(), 'freshet-segment-'));
  const duckdb = await openDuckdb({
    memoryLimitBytes: 256 * 1024 * 1024,
    threads: 1,
    tempDirectory: join(root, 'spill'),
  });
  return {
    directory: join(root, 'offline'),
    files: localFiles(join(root, 'offline')),
    duckdb,
    async [Symbol.asyncDispose]() {
      await duckdb.close();
      rmSync(root, { recursive: true });
    },
  };
}

export interface BatchOptions {
  readonly timestampField: string;
  /** Default: 0, 1, 2… */
  readonly offsets?: readonly number[];
}

/** Arrival is the event time plus one second. */
export function batchOf(
  schema: Schema,
  rows: readonly Row[],
  { timestampField, offsets }: BatchOptions,
): RowBatch {
  const layout = rowLayout(schema);
  const columns = layout.names.map((name, c) => {
    const column = makeColumn(layout.types[c]!, rows.length);
    for (const [i, row] of rows.entries()) setValue(column, i, row[name]);
    return column;
  });
  const eventTimesUs = columns[layout.index.get(timestampField) as number]?.values as Float64Array;
  return {
    layout,
    count: rows.length,
    columns,
    offsets: Float64Array.from(offsets ?? rows.keys()),
    eventTimesUs,
    createdTimesUs: new Float64Array(rows.length).fill(NO_CREATED_TIME_US),
    arrivalTimesUs: eventTimesUs.map((us) => us + 1_000_000),
  };
}

/** An entry, right in its form; nothing was written. */
export function entryOf(some: Partial<SegmentEntry>): SegmentEntry {
  return {
    file: 'clicks/clicks-0-0-10-0123456789abcdef.parquet',
    source: 'clicks',
    topic: 'clicks',
    partition: 0,
    startOffset: 0,
    endOffset: 10,
    rowCount: 3,
    bytes: 1_000,
    minEventTimeUs: -1,
    maxEventTimeUs: 5,
    minArrivalTimeUs: 2,
    maxArrivalTimeUs: 6,
    maxLateUs: 0,
    fingerprint: '0123456789abcdef',
    contentHash: 'ab'.repeat(32),
    columns: [
      { name: 'user', type: 'string' },
      { name: 'at', type: 'timestamp' },
    ],
    createdAtMs: 1_700_000_000_000,
    ...some,
  };
}

function setValue(column: Column, i: number, value: unknown): void {
  if (value === null || value === undefined) return;
  column.valid[i] = 1;
  (column.values as unknown[])[i] = column.type === 'bool' ? Number(value) : value;
}

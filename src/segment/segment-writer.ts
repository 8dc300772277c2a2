/**
 * Writes the rows of one topic partition to Parquet, one file a cut. Rows wait in a DuckDB table
 * until the cut. A failure leaves them in the writer; trying again writes the same file.
 */
import { assert } from '../core/assert.ts';
import { canonicalJson } from '../core/coerce.ts';
import { elementType, type FieldType } from '../core/field-type.ts';
import { toInt64 } from '../core/int64.ts';
import { type Column, makeColumn, type RowBatch, type RowLayout } from '../core/row-batch.ts';
import type { TopicSource } from '../definition/index.ts';
import {
  type ColumnAppender,
  type DuckdbConnection,
  fieldTypeToSql,
  quoteIdentifier,
} from '../duckdb/index.ts';
import { ContentHash } from './content-hash.ts';
import { publishSegment } from './publish-segment.ts';
import type { SegmentColumn, SegmentCut, SegmentEntry } from './segment-entry.ts';
import {
  fieldColumns,
  SYSTEM_COLUMNS,
  schemaFingerprint,
  segmentFile,
  sortClause,
  storedType,
} from './segment-layout.ts';
import type { SegmentStoreOptions } from './segment-store.ts';

/** Not safe for concurrent calls. */
export interface SegmentWriter {
  readonly rowCount: number;
  /** Bytes of the buffered rows in memory. */
  readonly bytesEstimate: number;
  /**
   * Buffers rows `[from, to)` of the batch, in offset order. `lateByUs[i]` belongs to row i.
   * After a failure the writer takes nothing more until `discard`.
   */
  append(rows: RowBatch, lateByUs: Float64Array, from: number, to: number): Promise<void>;
  /**
   * Publishes all buffered rows as the segment of the cut and is empty again. A cut without rows
   * has an entry and no file. @throws FreshetError DISK_FULL, DISK_FAILED; the rows stay
   */
  write(cut: SegmentCut): Promise<SegmentEntry>;
  /** Forgets the buffered rows and frees their memory. The writer can be used again. */
  discard(): Promise<void>;
}

const TABLE = 'rows';

/**
 * DuckDB keeps 16 bytes beside the content of a string or an array; hashing counts 4 of them, its
 * length. Measured: the estimate is 0 to 10 % above the memory of the table.
 */
const POINTER_BYTES = 12;

export function createSegmentWriter(
  options: Required<SegmentStoreOptions>,
  source: TopicSource,
  partition: number,
): SegmentWriter {
  return new DuckdbSegmentWriter(options, source, partition);
}

class DuckdbSegmentWriter implements SegmentWriter {
  readonly #options: Required<SegmentStoreOptions>;
  readonly #source: TopicSource;
  readonly #partition: number;
  readonly #fields: readonly SegmentColumn[];
  readonly #stored: readonly SegmentColumn[];
  readonly #pointerBytes: number;
  #layout: RowLayout | null = null;
  #positions: readonly number[] = [];
  #buffer: RowBuffer | null = null;
  #failed = false;

  constructor(options: Required<SegmentStoreOptions>, source: TopicSource, partition: number) {
    this.#options = options;
    this.#source = source;
    this.#partition = partition;
    this.#fields = fieldColumns(source);
    this.#stored = [...this.#fields, ...SYSTEM_COLUMNS].map(({ name, type }) => ({
      name,
      type: storedType(type),
    }));
    this.#pointerBytes = POINTER_BYTES * this.#stored.filter(({ type }) => hasPointer(type)).length;
  }

  get rowCount(): number {
    return this.#buffer?.summary.rowCount ?? 0;
  }

  get bytesEstimate(): number {
    return this.#buffer?.bytes ?? 0;
  }

  async append(rows: RowBatch, lateByUs: Float64Array, from: number, to: number): Promise<void> {
    assert(!this.#failed, 'an append failed: discard the rows of this segment writer first');
    if (from >= to) return;
    this.#buffer ??= await this.#openBuffer();
    const columns = this.#storedColumns(rows, lateByUs, from, to);
    this.#failed = true;
    this.#buffer.appender.append(columns, 0, to - from);
    this.#buffer.bytes +=
      this.#buffer.hash.update(columns, 0, to - from) + this.#pointerBytes * (to - from);
    this.#buffer.summary.add(rows, lateByUs, from, to);
    this.#failed = false;
  }

  async write(cut: SegmentCut): Promise<SegmentEntry> {
    assert(!this.#failed, 'an append failed: discard the rows of this segment writer first');
    assert(cut.startOffset < cut.endOffset, `the cut ends at ${cut.endOffset}, its start`);
    const entry = this.#describe(cut);
    const buffer = this.#buffer;
    if (buffer === null || entry.file === null) return entry;
    buffer.summary.requireWithin(cut);
    buffer.appender.flush();
    const { files } = this.#options;
    const bytes = await publishSegment(
      { connection: buffer.connection, files },
      `SELECT * FROM ${TABLE} ${sortClause(this.#source, this.#fields)}`,
      entry,
    );
    await this.discard();
    return { ...entry, bytes };
  }

  async discard(): Promise<void> {
    this.#failed = false;
    const buffer = this.#buffer;
    this.#buffer = null;
    // The table is temporary: it goes with its connection.
    await buffer?.connection.close();
  }

  #describe(cut: SegmentCut): SegmentEntry {
    const { name, topic } = this.#source;
    const fingerprint = schemaFingerprint(this.#fields);
    const summary = this.#buffer?.summary ?? new RowSummary();
    const file = segmentFile(topic, this.#partition, cut, fingerprint);
    return {
      file: summary.rowCount === 0 ? null : file,
      source: name,
      topic,
      partition: this.#partition,
      startOffset: cut.startOffset,
      endOffset: cut.endOffset,
      rowCount: summary.rowCount,
      bytes: 0,
      ...summary.bounds(),
      fingerprint,
      contentHash: (this.#buffer?.hash ?? new ContentHash(this.#stored)).digest(),
      columns: this.#fields,
      createdAtMs: this.#options.clock.nowMs(),
    };
  }

  async #openBuffer(): Promise<RowBuffer> {
    const connection = await this.#options.duckdb.connect();
    const columns = this.#stored.map(
      ({ name, type }) => `${quoteIdentifier(name)} ${fieldTypeToSql(type)}`,
    );
    await connection.run(`CREATE TEMP TABLE ${TABLE} (${columns.join(', ')})`);
    const types = this.#stored.map(({ type }) => type);
    return {
      connection,
      appender: await connection.appender(TABLE, types),
      hash: new ContentHash(this.#stored),
      summary: new RowSummary(),
      bytes: 0,
    };
  }

  /** Rows `[from, to)` as the columns of the file. */
  #storedColumns(rows: RowBatch, lateByUs: Float64Array, from: number, to: number): Column[] {
    const valid = new Uint8Array(to - from).fill(1);
    const partition = makeColumn('int32', to - from);
    const fields = this.#fieldPositions(rows.layout).map((position) =>
      storedColumn(rows.columns[position] as Column, from, to),
    );
    return [
      ...fields,
      { type: 'int32', values: (partition.values as Int32Array).fill(this.#partition), valid },
      { type: 'int64', values: toInt64(rows.offsets, from, to), valid },
      { type: 'timestamp', values: rows.arrivalTimesUs.subarray(from, to), valid },
      { type: 'int64', values: toInt64(lateByUs, from, to), valid },
    ];
  }

  /** Where the fields of the source are in a batch; worked out once a layout. */
  #fieldPositions(layout: RowLayout): readonly number[] {
    if (layout !== this.#layout) {
      this.#positions = this.#fields.map(({ name, type }) => {
        const position = layout.index.get(name);
        assert(
          position !== undefined && layout.types[position] === type,
          `rows of source "${this.#source.name}" lack the field "${name}" of type ${type}`,
        );
        return position;
      });
      this.#layout = layout;
    }
    return this.#positions;
  }
}

/** Rows that wait for the cut. */
interface RowBuffer {
  readonly connection: DuckdbConnection;
  readonly appender: ColumnAppender;
  readonly hash: ContentHash;
  readonly summary: RowSummary;
  bytes: number;
}

function hasPointer(type: FieldType): boolean {
  return type === 'string' || type === 'bytes' || elementType(type) !== null;
}

function storedColumn(column: Column, from: number, to: number): Column {
  const valid = column.valid.subarray(from, to);
  const { type, values } = column;
  if (type === 'json') return { type: 'string', values: jsonTexts(column, from, to), valid };
  const rows = Array.isArray(values) ? values.slice(from, to) : values.subarray(from, to);
  return { type: storedType(type as FieldType), values: rows, valid };
}

function jsonTexts(column: Column, from: number, to: number): (string | null)[] {
  const texts: (string | null)[] = new Array(to - from);
  for (let i = from; i < to; i++) {
    texts[i - from] = column.valid[i] === 0 ? null : canonicalJson(column.values[i]);
  }
  return texts;
}

/** Bounds of the rows so far. */
class RowSummary {
  rowCount = 0;
  #minOffset = Number.POSITIVE_INFINITY;
  #lastOffset = Number.NEGATIVE_INFINITY;
  #minEventTimeUs = Number.POSITIVE_INFINITY;
  #maxEventTimeUs = Number.NEGATIVE_INFINITY;
  #minArrivalTimeUs = Number.POSITIVE_INFINITY;
  #maxArrivalTimeUs = Number.NEGATIVE_INFINITY;
  #maxLateUs = 0;

  add(rows: RowBatch, lateByUs: Float64Array, from: number, to: number): void {
    const { offsets, eventTimesUs, arrivalTimesUs } = rows;
    this.#minOffset = Math.min(this.#minOffset, offsets[from] as number);
    for (let i = from; i < to; i++) {
      const offset = offsets[i] as number;
      assert(offset > this.#lastOffset, `offset ${offset} after ${this.#lastOffset}`);
      this.#lastOffset = offset;
      const eventTimeUs = eventTimesUs[i] as number;
      if (eventTimeUs < this.#minEventTimeUs) this.#minEventTimeUs = eventTimeUs;
      if (eventTimeUs > this.#maxEventTimeUs) this.#maxEventTimeUs = eventTimeUs;
      const arrivalTimeUs = arrivalTimesUs[i] as number;
      if (arrivalTimeUs < this.#minArrivalTimeUs) this.#minArrivalTimeUs = arrivalTimeUs;
      if (arrivalTimeUs > this.#maxArrivalTimeUs) this.#maxArrivalTimeUs = arrivalTimeUs;
      const lateUs = lateByUs[i] as number;
      if (lateUs > this.#maxLateUs) this.#maxLateUs = lateUs;
    }
    this.rowCount += to - from;
  }

  requireWithin({ startOffset, endOffset }: SegmentCut): void {
    assert(
      this.#minOffset >= startOffset && this.#lastOffset < endOffset,
      `rows ${this.#minOffset} to ${this.#lastOffset} are not within [${startOffset}, ${endOffset})`,
    );
  }

  bounds(): Pick<
    SegmentEntry,
    'minEventTimeUs' | 'maxEventTimeUs' | 'minArrivalTimeUs' | 'maxArrivalTimeUs' | 'maxLateUs'
  > {
    const bound = (value: number): number | null => (this.rowCount === 0 ? null : value);
    return {
      minEventTimeUs: bound(this.#minEventTimeUs),
      maxEventTimeUs: bound(this.#maxEventTimeUs),
      minArrivalTimeUs: bound(this.#minArrivalTimeUs),
      maxArrivalTimeUs: bound(this.#maxArrivalTimeUs),
      maxLateUs: bound(this.#maxLateUs),
    };
  }
}

/**
 * The content of a segment as one hash: of its values in offset order, whatever the file does to
 * store them. Each column is a few streams of bytes, each hashed by itself, so that rows may come
 * in batches of any size and a batch costs a few calls a column.
 *
 * ```
 * content hash := sha256(header | stream digests in order), in hex
 * header       := UTF-8 of JSON [1, row count, [[name, type], …]]
 * column       := nulls | values                            scalars of fixed size
 *               | nulls | lengths | bytes                   string, bytes
 *               | nulls | lengths | column of the elements  arrays
 * nulls        := u32 row number of each null
 * values       := as in memory: i32, i64, f32, f64, u8 for bool, i64 microseconds for timestamp;
 *                 0 for null
 * lengths      := u32 a row: UTF-16 units of a string, bytes, or elements; 0 for null
 * bytes        := the bytes; for strings UTF-8 with a zero byte behind each
 * ```
 *
 * Numbers are little-endian.
 */
import { createHash, type Hash } from 'node:crypto';
import { elementType, type FieldType } from '../core/field-type.ts';
import { toInt64 } from '../core/int64.ts';
import { type Column, type ColumnValues, makeColumn } from '../core/row-batch.ts';
import type { SegmentColumn } from './segment-entry.ts';

const VERSION = 1;

export class ContentHash {
  readonly #columns: readonly SegmentColumn[];
  readonly #hashes: readonly ColumnHash[];
  #rowCount = 0;

  constructor(columns: readonly SegmentColumn[]) {
    this.#columns = columns;
    this.#hashes = columns.map((column) => columnHashOf(column.type));
  }

  /** Adds rows `[from, to)`; answers with the bytes they took. */
  update(columns: readonly Column[], from: number, to: number): number {
    let bytes = 0;
    for (let c = 0; c < columns.length; c++) {
      bytes += (this.#hashes[c] as ColumnHash).update(
        columns[c] as Column,
        from,
        to,
        this.#rowCount,
      );
    }
    this.#rowCount += to - from;
    return bytes;
  }

  /** The hash of what was added so far; more may follow. */
  digest(): string {
    const names = this.#columns.map(({ name, type }) => [name, type]);
    const hash = createHash('sha256').update(JSON.stringify([VERSION, this.#rowCount, names]));
    for (const column of this.#hashes) {
      for (const stream of column.streams) hash.update(stream.copy().digest());
    }
    return hash.digest('hex');
  }
}

interface ColumnHash {
  readonly streams: readonly Hash[];
  /** `firstRow` is the row number of `from`. Answers with the bytes hashed. */
  update(column: Column, from: number, to: number, firstRow: number): number;
}

function columnHashOf(type: FieldType): ColumnHash {
  const element = elementType(type);
  if (element !== null) return arrayHash(element);
  return type === 'string' || type === 'bytes' ? textHash(type) : fixedHash(type);
}

function fixedHash(type: FieldType): ColumnHash {
  const nulls = createHash('sha256');
  const values = createHash('sha256');
  return {
    streams: [nulls, values],
    update(column, from, to, firstRow) {
      const memory = fixedBytes(type, withoutNulls(column, from, to));
      values.update(memory);
      return memory.length + updateNulls(nulls, column.valid, from, to, firstRow);
    },
  };
}

function textHash(type: 'string' | 'bytes'): ColumnHash {
  const nulls = createHash('sha256');
  const lengths = createHash('sha256');
  const bytes = createHash('sha256');
  return {
    streams: [nulls, lengths, bytes],
    update(column, from, to, firstRow) {
      const { items, lengths: counts } = itemsOf<string | Uint8Array>(column, from, to);
      lengths.update(bytesOf(counts));
      const content =
        type === 'string'
          ? Buffer.from(items.length === 0 ? '' : `${items.join('\0')}\0`)
          : Buffer.concat(items as Uint8Array[]);
      bytes.update(content);
      const nullBytes = updateNulls(nulls, column.valid, from, to, firstRow);
      return counts.byteLength + content.length + nullBytes;
    },
  };
}

function arrayHash(element: FieldType): ColumnHash {
  const nulls = createHash('sha256');
  const lengths = createHash('sha256');
  const child = columnHashOf(element);
  return {
    streams: [nulls, lengths, ...child.streams],
    update(column, from, to, firstRow) {
      const { items, lengths: counts } = itemsOf<readonly unknown[]>(column, from, to);
      lengths.update(bytesOf(counts));
      const elements = elementColumn(element, items);
      const childBytes = child.update(elements, 0, elements.valid.length, 0);
      return counts.byteLength + childBytes + updateNulls(nulls, column.valid, from, to, firstRow);
    },
  };
}

function updateNulls(
  hash: Hash,
  valid: Uint8Array,
  from: number,
  to: number,
  firstRow: number,
): number {
  let i = valid.indexOf(0, from);
  if (i === -1 || i >= to) return 0;
  const rows: number[] = [];
  for (; i !== -1 && i < to; i = valid.indexOf(0, i + 1)) rows.push(firstRow + i - from);
  const bytes = bytesOf(Uint32Array.from(rows));
  hash.update(bytes);
  return bytes.length;
}

type FixedValues = Exclude<ColumnValues, unknown[]>;

/** Rows `[from, to)` of a typed column, copied only where a null has to become 0. */
function withoutNulls(column: Column, from: number, to: number): FixedValues {
  const { valid } = column;
  const rows = (column.values as FixedValues).subarray(from, to);
  let i = valid.indexOf(0, from);
  if (i === -1 || i >= to) return rows;
  const copy = rows.slice();
  const bytes = bytesOf(copy);
  const size = copy.BYTES_PER_ELEMENT;
  for (; i !== -1 && i < to; i = valid.indexOf(0, i + 1)) {
    bytes.fill(0, (i - from) * size, (i - from + 1) * size);
  }
  return copy;
}

function fixedBytes(type: FieldType, values: FixedValues): Uint8Array {
  if (type === 'timestamp') return bytesOf(toInt64(values as Float64Array, 0, values.length));
  if (type === 'float32') return bytesOf(new Float32Array(values as Float64Array));
  return bytesOf(values);
}

/** The values that are there, and a length for every row. */
function itemsOf<T extends { readonly length: number }>(
  column: Column,
  from: number,
  to: number,
): { items: T[]; lengths: Uint32Array } {
  const values = column.values as unknown as readonly T[];
  const items: T[] = [];
  const lengths = new Uint32Array(to - from);
  for (let i = from; i < to; i++) {
    if (column.valid[i] === 0) continue;
    const item = values[i] as T;
    items.push(item);
    lengths[i - from] = item.length;
  }
  return { items, lengths };
}

/** All elements of some arrays as one column. */
function elementColumn(type: FieldType, arrays: readonly (readonly unknown[])[]): Column {
  const elements = arrays.flat();
  const column = makeColumn(type, elements.length);
  const values = column.values as unknown[];
  for (let i = 0; i < elements.length; i++) {
    values[i] = type === 'bool' ? Number(elements[i]) : elements[i];
  }
  column.valid.fill(1);
  return column;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * What the DuckDB binding keeps behind a vector: its typed array and its validity bits. The
 * binding's types hide them; reading value by value through its objects costs four times as much.
 * The exact version of the binding is pinned, and `test/duckdb` reads and writes every type.
 */
import { type DuckDBArrayVector, DuckDBVector } from '@duckdb/node-api';

/** Rows DuckDB puts into one chunk. */
export const CHUNK_ROWS: number = DuckDBVector.standardSize();

export type VectorItems = BigInt64Array | Float64Array | Float32Array | Int32Array;

interface VectorInternals {
  readonly items?: VectorItems;
  readonly dataView?: DataView;
  readonly childData?: DuckDBVector;
  /** Vectors of maps and of fixed values have none. */
  readonly validity?: { readonly data: BigUint64Array | null; readonly offset: number };
}

/** The memory behind a vector of numbers: valid as long as its chunk is. */
export function itemsOf(vector: DuckDBVector): VectorItems {
  return (vector as unknown as VectorInternals).items as VectorItems;
}

/** The bytes behind a vector of booleans or strings: valid as long as its chunk is. */
export function bytesOf(vector: DuckDBVector): Buffer {
  const { buffer, byteOffset, byteLength } = (vector as unknown as VectorInternals)
    .dataView as DataView;
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** One byte a row: 1 where there is a value, 0 where there is null. */
export function validOf(vector: DuckDBVector, count: number): Uint8Array {
  const { validity } = vector as unknown as VectorInternals;
  const valid = new Uint8Array(count);
  if (validity === undefined) return valid.map((_, i) => (vector.getItem(i) === null ? 0 : 1));
  const { data, offset } = validity;
  if (data === null) return valid.fill(1);
  const bits = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let i = 0; i < count; i++) {
    const bit = offset + i;
    valid[i] = ((bits[bit >>> 3] as number) >>> (bit & 7)) & 1;
  }
  return valid;
}

/** The elements of all arrays of fixed length, one after another. */
export function elementsOf(vector: DuckDBArrayVector): DuckDBVector {
  return (vector as unknown as VectorInternals).childData as DuckDBVector;
}

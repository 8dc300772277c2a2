/**
 * Whole numbers between float64 and int64 memory by their 32-bit halves: no bigint a value.
 * Exact for safe integers; little-endian, as every platform DuckDB runs on.
 */
const HIGH = 2 ** 32;

/** Writes `values[from, from + count)` to the start of `target`. NaN is written as 0. */
export function writeInt64(
  target: BigInt64Array,
  values: Float64Array,
  from: number,
  count: number,
): void {
  const words = new Int32Array(target.buffer, target.byteOffset, target.length * 2);
  for (let i = 0; i < count; i++) {
    const value = values[from + i] as number;
    const high = Math.floor(value / HIGH);
    words[2 * i] = value - high * HIGH;
    words[2 * i + 1] = high;
  }
}

/** The first `count` values of `source`; those beyond 2^53 lose their low bits. */
export function readInt64(source: BigInt64Array, count: number): Float64Array {
  const words = new Int32Array(source.buffer, source.byteOffset, source.length * 2);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    values[i] = (words[2 * i + 1] as number) * HIGH + ((words[2 * i] as number) >>> 0);
  }
  return values;
}

/** Rows `[from, to)` as int64. */
export function toInt64(values: Float64Array, from: number, to: number): BigInt64Array {
  const target = new BigInt64Array(to - from);
  writeInt64(target, values, from, to - from);
  return target;
}

import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { roundedRatio } from './exact-rational.ts';

/**
 * The exact sum of whole numbers: a double while it stays below 2^53, with what overflows that set
 * aside in a bigint. The pair is not unique, the total is; only the total is encoded.
 */
export class WholeSum {
  #small = 0;
  #large = 0n;

  addNumber(x: number): void {
    const sum = this.#small + x;
    if (sum > SMALL_MAX || sum < -SMALL_MAX) {
      this.#large += BigInt(this.#small) + BigInt(x);
      this.#small = 0;
    } else {
      this.#small = sum;
    }
  }

  addBigint(x: bigint): void {
    if (x <= INT32_MAX && x >= -INT32_MAX) this.addNumber(Number(x));
    else this.#large += x;
  }

  merge(other: WholeSum): void {
    this.addNumber(other.#small);
    this.#large += other.#large;
  }

  total(): bigint {
    return this.#large + BigInt(this.#small);
  }

  /** The total over a count, rounded once; 0 < count < 2^53. */
  over(count: number): number {
    // Both are exact doubles, so that their quotient is rounded once.
    if (this.#large === 0n) return this.#small / count;
    return roundedRatio(this.total(), BigInt(count));
  }

  /** Sign u8 (1: negative), then the magnitude, big-endian without leading zeros. */
  encode(out: ByteWriter): void {
    if (this.#large === 0n) {
      encodeSmall(this.#small, out);
      return;
    }
    const total = this.total();
    const negative = total < 0n;
    let hex = (negative ? -total : total).toString(16);
    if (hex.length % 2 === 1) hex = `0${hex}`;
    out.u8(negative ? 1 : 0);
    out.bytes(Buffer.from(total === 0n ? '' : hex, 'hex'));
  }

  static decode(input: ByteReader): WholeSum {
    const negative = input.u8() === 1;
    const size = input.varint();
    const sum = new WholeSum();
    if (size <= SMALL_BYTES) {
      let magnitude = 0;
      for (let left = size; left > 0; left--) magnitude = magnitude * 256 + input.u8();
      sum.#small = negative ? -magnitude : magnitude;
    } else {
      const magnitude = BigInt(`0x${Buffer.from(input.raw(size)).toString('hex')}`);
      sum.#large = negative ? -magnitude : magnitude;
    }
    return sum;
  }
}

function encodeSmall(total: number, out: ByteWriter): void {
  const magnitude = Math.abs(total);
  let scale = 1;
  let size = 0;
  while (scale <= magnitude) {
    scale *= 256;
    size++;
  }
  out.u8(total < 0 ? 1 : 0);
  out.varint(size);
  let rest = magnitude;
  while (scale > 1) {
    scale /= 256;
    const byte = Math.floor(rest / scale);
    out.u8(byte);
    rest -= byte * scale;
  }
}

/** Magnitudes of so many bytes are below 2^48: doubles without loss. */
const SMALL_BYTES = 6;

const SMALL_MAX = 2 ** 52;
const INT32_MAX = 2n ** 31n;

import type { ByteReader, ByteWriter } from '../../core/bytes.ts';

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

  encode(out: ByteWriter): void {
    const total = this.total();
    const negative = total < 0n;
    let hex = (negative ? -total : total).toString(16);
    if (hex.length % 2 === 1) hex = `0${hex}`;
    out.u8(negative ? 1 : 0);
    out.bytes(Buffer.from(total === 0n ? '' : hex, 'hex'));
  }

  static decode(input: ByteReader): WholeSum {
    const negative = input.u8() === 1;
    const hex = Buffer.from(input.bytes()).toString('hex');
    const magnitude = hex === '' ? 0n : BigInt(`0x${hex}`);
    const sum = new WholeSum();
    sum.addBigint(negative ? -magnitude : magnitude);
    return sum;
  }
}

const SMALL_MAX = 2 ** 52;
const INT32_MAX = 2n ** 31n;

/**
 * Writes Avro primitives into one growing buffer; each row is copied out. avsc is not used here:
 * its longs are numbers that go wrong without an error below -2^52, the instants before 1827.
 */
const INITIAL_BYTES = 16 * 1024;
const VARINT_BYTES_MAX = 10;
/** Text this short takes at most 63 bytes, so that its length takes one. */
const SHORT_TEXT = 21;
const INT32_HALF = 2 ** 30;

export class AvroOutput {
  #buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #position = 0;

  /** Begins a row after `headerBytes` that the caller fills. */
  reset(headerBytes: number): Buffer {
    this.#position = headerBytes;
    return this.#buffer;
  }

  /** A copy of the row. */
  take(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#position);
  }

  /** A whole number that is safe. */
  writeLong(value: number): void {
    this.#reserve(VARINT_BYTES_MAX);
    const isSmall = value >= -INT32_HALF && value < INT32_HALF;
    const magnitude = value < 0 ? -value - 1 : value;
    const low = ((magnitude % 64) << 1) | (value < 0 ? 1 : 0);
    if (isSmall) this.#writeSmall(low, magnitude >>> 6);
    else this.#writeLarge(low, Math.floor(magnitude / 64));
  }

  writeBigLong(value: bigint): void {
    const near = Number(value);
    if (Number.isSafeInteger(near)) {
      this.writeLong(near);
      return;
    }
    this.#reserve(VARINT_BYTES_MAX);
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    for (; rest > 127n; rest >>= 7n) this.#byte(Number(rest & 127n) | 128);
    this.#byte(Number(rest));
  }

  writeBoolean(value: boolean): void {
    this.#reserve(1);
    this.#byte(value ? 1 : 0);
  }

  writeFloat(value: number): void {
    this.#reserve(4);
    this.#position = this.#buffer.writeFloatLE(value, this.#position);
  }

  writeDouble(value: number): void {
    this.#reserve(8);
    this.#position = this.#buffer.writeDoubleLE(value, this.#position);
  }

  writeString(text: string): void {
    if (text.length <= SHORT_TEXT) {
      this.#reserve(1 + 3 * text.length);
      const bytes = this.#buffer.write(text, this.#position + 1);
      this.#byte(bytes << 1);
      this.#position += bytes;
      return;
    }
    const bytes = Buffer.byteLength(text);
    this.writeLong(bytes);
    this.#reserve(bytes);
    this.#position += this.#buffer.write(text, this.#position);
  }

  writeBytes(bytes: Uint8Array): void {
    this.writeLong(bytes.length);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  #writeSmall(first: number, above: number): void {
    let byte = first;
    for (let rest = above; rest > 0; rest >>>= 7) {
      this.#byte(byte | 128);
      byte = rest & 127;
    }
    this.#byte(byte);
  }

  #writeLarge(first: number, above: number): void {
    let byte = first;
    for (let rest = above; rest > 0; rest = Math.floor(rest / 128)) {
      this.#byte(byte | 128);
      byte = rest % 128;
    }
    this.#byte(byte);
  }

  #byte(value: number): void {
    this.#buffer[this.#position++] = value;
  }

  #reserve(bytes: number): void {
    const needed = this.#position + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#position);
    this.#buffer = larger;
  }
}

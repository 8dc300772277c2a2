/** Writes values into one buffer that grows; big-endian, so that bytes order as numbers do. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets what was written; the buffer is used again. */
  reset(): void {
    this.#length = 0;
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#length);
  }

  /** What was written, until the next write. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16BE(value, this.#length);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
  }

  i32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
  }

  i64(value: bigint): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigInt64BE(value, this.#length);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeDoubleBE(value, this.#length);
  }

  f32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeFloatBE(value, this.#length);
  }

  /** A whole number of 0 to 2^53 - 1 in one byte for each seven bits. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** Length and bytes. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** Bytes without their length. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** Length in bytes and UTF-8. */
  string(value: string): void {
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.#reserve(size);
    this.#length += this.#buffer.write(value, this.#length, size, 'utf8');
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + size));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads what a ByteWriter wrote; a RangeError when the bytes end too early. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    // Most bytes come from a store, whose bindings give Buffers.
    this.#buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  skip(size: number): void {
    this.#at += size;
  }

  get done(): boolean {
    return this.#at >= this.#buffer.length;
  }

  u8(): number {
    const value = this.#buffer[this.#at];
    if (value === undefined) throw new RangeError('the bytes end too early');
    this.#at += 1;
    return value;
  }

  u16(): number {
    const value = this.#buffer.readUInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  u32(): number {
    const value = this.#buffer.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  i32(): number {
    const value = this.#buffer.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  i64(): bigint {
    const value = this.#buffer.readBigInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  f64(): number {
    const value = this.#buffer.readDoubleBE(this.#at);
    this.#at += 8;
    return value;
  }

  f32(): number {
    const value = this.#buffer.readFloatBE(this.#at);
    this.#at += 4;
    return value;
  }

  varint(): number {
    let value = this.u8();
    if (value < 0x80) return value;
    value &= 0x7f;
    let scale = 0x80;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  /** A view of the next `size` bytes. */
  raw(size: number): Uint8Array {
    if (this.#at + size > this.#buffer.length) throw new RangeError('the bytes end too early');
    const value = this.#buffer.subarray(this.#at, this.#at + size);
    this.#at += size;
    return value;
  }

  string(): string {
    const size = this.varint();
    if (this.#at + size > this.#buffer.length) throw new RangeError('the bytes end too early');
    const value = this.#buffer.toString('utf8', this.#at, this.#at + size);
    this.#at += size;
    return value;
  }
}

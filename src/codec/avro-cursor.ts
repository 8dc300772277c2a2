import { RowError } from './row-error.ts';

/** Levels of nested records: data nests a few deep, garbage bytes may claim any depth. */
const DEPTH_MAX = 100;
const VARINT_BYTES_MAX = 10;
const TWO_27 = 2 ** 27;

/**
 * Reads Avro primitives from one record at a time. Every length and count is checked against the
 * bytes that are left, so that garbage cannot make it allocate or loop.
 */
export class AvroCursor {
  #buffer: Buffer = Buffer.alloc(0);
  #position = 0;
  #end = 0;
  #depth = 0;

  reset(bytes: Uint8Array, position: number): void {
    this.#buffer =
      bytes instanceof Buffer
        ? bytes
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = position;
    this.#end = bytes.length;
    this.#depth = 0;
  }

  /** Exact to 2^53; a longer number is rounded, which callers that mind must check. */
  readLong(): number {
    const buffer = this.#buffer;
    let position = this.#position;
    let byte = buffer[position++] as number;
    let low = byte & 127;
    for (let shift = 7; byte >= 128 && shift < 28; shift += 7) {
      byte = buffer[position++] as number;
      low |= (byte & 127) << shift;
    }
    if (byte < 128) {
      this.#position = position;
      return (low >>> 1) ^ -(low & 1);
    }
    const magnitude = (low >>> 1) + this.#readHigh(position) * TWO_27;
    return (low & 1) === 1 ? -magnitude - 1 : magnitude;
  }

  /** Any 64-bit number. */
  readBigLong(): bigint {
    const start = this.#position;
    const near = this.readLong();
    if (Number.isSafeInteger(near)) return BigInt(near);
    let zigzag = 0n;
    for (let position = start, shift = 0n; position < this.#position; position++, shift += 7n) {
      zigzag |= BigInt((this.#buffer[position] as number) & 127) << shift;
    }
    if (zigzag >= 1n << 64n) throw malformed('a long has more than 64 bits');
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  }

  readInt(): number {
    const value = this.readLong();
    if (value !== (value | 0)) throw malformed('an int has more than 32 bits');
    return value;
  }

  readBoolean(): boolean {
    const byte = this.#buffer[this.#take(1)] as number;
    if (byte > 1) throw malformed(`a boolean is the byte ${byte}`);
    return byte === 1;
  }

  readFloat(): number {
    return this.#buffer.readFloatLE(this.#take(4));
  }

  readDouble(): number {
    return this.#buffer.readDoubleLE(this.#take(8));
  }

  readString(): string {
    const length = this.#readLength();
    const start = this.#take(length);
    return this.#buffer.toString('utf8', start, start + length);
  }

  /** A copy, so that a value does not keep the whole batch alive. */
  readBytes(): Uint8Array {
    return this.readFixed(this.#readLength());
  }

  readFixed(size: number): Uint8Array {
    const start = this.#take(size);
    return Uint8Array.prototype.slice.call(this.#buffer, start, start + size);
  }

  /** The number of items in the next block of an array or map; 0 ends it. */
  readBlockCount(itemBytesMin: number): number {
    let count = this.readLong();
    if (count < 0) {
      count = -count;
      this.readLong();
    }
    if (count * itemBytesMin > this.#end - this.#position) throw truncated();
    return count;
  }

  /** A position in a list of `count` choices. */
  readIndex(count: number): number {
    const index = this.readLong();
    if (index < 0 || index >= count) throw malformed(`choice ${index} of a list of ${count}`);
    return index;
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  skipSized(): void {
    this.#take(this.#readLength());
  }

  enter(): void {
    if (++this.#depth > DEPTH_MAX) throw malformed(`records nest more than ${DEPTH_MAX} deep`);
  }

  leave(): void {
    this.#depth--;
  }

  /** Asserts that the record ends exactly here. */
  finish(): void {
    if (this.#position > this.#end) throw truncated();
    if (this.#position < this.#end) {
      throw malformed(`${this.#end - this.#position} bytes follow the row`);
    }
  }

  /** The bits of a varint above the first 28, starting at `position`. */
  #readHigh(position: number): number {
    let next = position;
    let high = 0;
    let scale = 1;
    let byte: number;
    do {
      byte = this.#buffer[next++] as number;
      high += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128 && next - this.#position < VARINT_BYTES_MAX);
    this.#position = next;
    if (byte >= 128) throw malformed('a number has more than 64 bits');
    return high;
  }

  #readLength(): number {
    const length = this.readLong();
    if (length < 0) throw malformed(`a length of ${length}`);
    return length;
  }

  #take(bytes: number): number {
    const start = this.#position;
    if (bytes > this.#end - start) throw truncated();
    this.#position = start + bytes;
    return start;
  }
}

function truncated(): RowError {
  return new RowError('ROW_TRUNCATED', 'the bytes end before the row does');
}

function malformed(what: string): RowError {
  return new RowError('ROW_UNDECODABLE', `the bytes are not what the schema says: ${what}`);
}

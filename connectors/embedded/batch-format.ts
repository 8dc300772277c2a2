/**
 * One stored batch: consecutive records of one partition.
 *
 * ```
 * batch   := crc32 u32 | body                            crc32 of the body
 * body    := version u8 (1) | count u32 | baseOffset f64 | record*
 * record  := timestampMs f64 | keyLength i32 | valueLength i32 | headersLength i32
 *            | key | value | headers                     a length of -1 stands for null,
 *                                                        a keyLength of -2 for a record that was erased
 * headers := count u16 | (nameLength u16 | name UTF-8 | valueLength i32 | value)*
 * ```
 * All numbers are big-endian. Record i has the offset `baseOffset + i`.
 */
import { crc32 } from 'node:zlib';
import { FreshetError } from '../../src/errors.ts';
import type { Header, ProducedRecord, TopicPartition } from '../../src/log/index.ts';

/** Records of a batch, as views into its bytes. */
export interface StoredBatch {
  readonly baseOffset: number;
  readonly count: number;
  readonly byteLength: number;
  timestampMs(i: number): number;
  key(i: number): Uint8Array | null;
  value(i: number): Uint8Array | null;
  valueSize(i: number): number;
  /** Whether the record is gone: only its offset and its timestamp are left. */
  isErased(i: number): boolean;
  headers(i: number): readonly Header[];
}

export interface StampedRecord {
  readonly record: ProducedRecord;
  readonly timestampMs: number;
  readonly isErased?: boolean;
}

const ERASED = -2;
const VERSION = 1;
const CRC_BYTES = 4;
const HEAD_BYTES = CRC_BYTES + 1 + 4 + 8;
const RECORD_HEAD_BYTES = 8 + 4 + 4 + 4;

export function encodeBatch(baseOffset: number, records: readonly StampedRecord[]): Uint8Array {
  const headers = records.map(({ record }) => encodeHeaders(record.headers ?? []));
  let size = HEAD_BYTES;
  for (const [i, { record }] of records.entries()) size += recordSize(record, headers[i]);
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUInt8(VERSION, CRC_BYTES);
  bytes.writeUInt32BE(records.length, CRC_BYTES + 1);
  bytes.writeDoubleBE(baseOffset, CRC_BYTES + 5);
  let at = HEAD_BYTES;
  for (const [i, { record, timestampMs, isErased }] of records.entries()) {
    const head = headers[i] as Uint8Array;
    at = bytes.writeDoubleBE(timestampMs, at);
    at = bytes.writeInt32BE(isErased ? ERASED : (record.key?.length ?? -1), at);
    at = bytes.writeInt32BE(record.value?.length ?? -1, at);
    at = bytes.writeInt32BE(head.length, at);
    for (const part of [record.key, record.value, head]) {
      if (part === null) continue;
      bytes.set(part, at);
      at += part.length;
    }
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

/** Bytes that a record takes in a batch, its headers left out. */
export function sizeOf(record: ProducedRecord): number {
  return RECORD_HEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0);
}

/** @throws FreshetError LOG_CORRUPT, also for another version */
export function decodeBatch(
  stored: Uint8Array,
  where: TopicPartition & { offset: number },
): StoredBatch {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  if (bytes.length < HEAD_BYTES || bytes.readUInt32BE(0) !== crc32(bytes.subarray(CRC_BYTES))) {
    throw new FreshetError('LOG_CORRUPT', 'a stored batch does not match its checksum', { where });
  }
  if (bytes.readUInt8(CRC_BYTES) !== VERSION) {
    throw new FreshetError('LOG_CORRUPT', 'a stored batch has an unknown version', { where });
  }
  const count = bytes.readUInt32BE(CRC_BYTES + 1);
  const starts = new Float64Array(count);
  let at = HEAD_BYTES;
  for (let i = 0; i < count; i++) {
    starts[i] = at;
    at += RECORD_HEAD_BYTES + Math.max(0, bytes.readInt32BE(at + 8));
    at += Math.max(0, bytes.readInt32BE((starts[i] as number) + 12));
    at += bytes.readInt32BE((starts[i] as number) + 16);
  }
  return new BatchView(bytes, starts);
}

class BatchView implements StoredBatch {
  readonly #bytes: Buffer;
  readonly #starts: Float64Array;

  constructor(bytes: Buffer, starts: Float64Array) {
    this.#bytes = bytes;
    this.#starts = starts;
  }

  get baseOffset(): number {
    return this.#bytes.readDoubleBE(CRC_BYTES + 5);
  }

  get count(): number {
    return this.#starts.length;
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  timestampMs(i: number): number {
    return this.#bytes.readDoubleBE(this.#starts[i]);
  }

  key(i: number): Uint8Array | null {
    const start = this.#starts[i] as number;
    const size = this.#bytes.readInt32BE(start + 8);
    const at = start + RECORD_HEAD_BYTES;
    return size < 0 ? null : this.#bytes.subarray(at, at + size);
  }

  value(i: number): Uint8Array | null {
    const start = this.#starts[i] as number;
    const size = this.#bytes.readInt32BE(start + 12);
    const at = start + RECORD_HEAD_BYTES + Math.max(0, this.#bytes.readInt32BE(start + 8));
    return size < 0 ? null : this.#bytes.subarray(at, at + size);
  }

  valueSize(i: number): number {
    return Math.max(0, this.#bytes.readInt32BE((this.#starts[i] as number) + 12));
  }

  isErased(i: number): boolean {
    return this.#bytes.readInt32BE((this.#starts[i] as number) + 8) === ERASED;
  }

  headers(i: number): readonly Header[] {
    const start = this.#starts[i] as number;
    const keySize = Math.max(0, this.#bytes.readInt32BE(start + 8));
    const at = start + RECORD_HEAD_BYTES + keySize + this.valueSize(i);
    return decodeHeaders(this.#bytes.subarray(at, at + this.#bytes.readInt32BE(start + 16)));
  }
}

function recordSize(record: ProducedRecord, headers: Uint8Array | undefined): number {
  return sizeOf(record) + (headers?.length ?? 0);
}

const NO_HEADERS = new Uint8Array(0);

function encodeHeaders(headers: readonly Header[]): Uint8Array {
  if (headers.length === 0) return NO_HEADERS;
  const parts: Uint8Array[] = [];
  const count = Buffer.allocUnsafe(2);
  count.writeUInt16BE(headers.length);
  parts.push(count);
  for (const [name, value] of headers) {
    const nameBytes = Buffer.from(name);
    const head = Buffer.allocUnsafe(2);
    head.writeUInt16BE(nameBytes.length);
    const size = Buffer.allocUnsafe(4);
    size.writeInt32BE(value.length);
    parts.push(head, nameBytes, size, value);
  }
  return Buffer.concat(parts);
}

function decodeHeaders(bytes: Buffer): readonly Header[] {
  if (bytes.length === 0) return [];
  let at = 2;
  return Array.from({ length: bytes.readUInt16BE(0) }, (): Header => {
    const nameSize = bytes.readUInt16BE(at);
    const name = bytes.toString('utf8', at + 2, at + 2 + nameSize);
    at += 2 + nameSize;
    const valueSize = bytes.readInt32BE(at);
    const value = bytes.subarray(at + 4, at + 4 + valueSize);
    at += 4 + valueSize;
    return [name, value];
  });
}

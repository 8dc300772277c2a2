import type { Header } from '../../src/log/index.ts';
import { COMPRESSIONS, type Compression, compress } from './codecs.ts';
import { crc32c } from './crc32c.ts';
import { BATCH, BATCH_PREFIX_BYTES, MAGIC, writeInt64 } from './record-batch.ts';

export interface EncodableRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly Header[];
  readonly timestampMs: number;
}

export interface BatchProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/** A record batch as a produce request carries it; the broker sets its offset. */
export async function encodeRecordBatch(
  records: readonly EncodableRecord[],
  producer: BatchProducer,
  compression: Compression = 'none',
): Promise<Buffer> {
  const baseMs = (records[0] as EncodableRecord).timestampMs;
  const packed = await compress(compression, encodeRecords(records, baseMs));
  const bytes = Buffer.allocUnsafe(BATCH.records + packed.length);
  let maxMs = baseMs;
  for (const { timestampMs } of records) maxMs = Math.max(maxMs, timestampMs);
  writeInt64(bytes, 0, BATCH.baseOffset);
  bytes.writeInt32BE(bytes.length - BATCH_PREFIX_BYTES, BATCH.length);
  bytes.writeInt32BE(-1, BATCH_PREFIX_BYTES);
  bytes.writeInt8(MAGIC, BATCH.magic);
  bytes.writeInt16BE(COMPRESSIONS.indexOf(compression), BATCH.attributes);
  bytes.writeInt32BE(records.length - 1, BATCH.lastOffsetDelta);
  writeInt64(bytes, baseMs, BATCH.baseTimestamp);
  writeInt64(bytes, maxMs, BATCH.maxTimestamp);
  writeInt64(bytes, producer.producerId, BATCH.producerId);
  bytes.writeInt16BE(producer.producerEpoch, BATCH.producerEpoch);
  bytes.writeInt32BE(producer.baseSequence, BATCH.baseSequence);
  bytes.writeInt32BE(records.length, BATCH.count);
  packed.copy(bytes, BATCH.records);
  bytes.writeUInt32BE(crc32c(bytes.subarray(BATCH.attributes)), BATCH.crc);
  return bytes;
}

/** Bytes that a record takes in a batch, rounded up. */
export function recordSizeMax({ key, value, headers = [] }: EncodableRecord): number {
  let size = 30 + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, bytes] of headers) size += 10 + Buffer.byteLength(name) + bytes.length;
  return size;
}

function encodeRecords(records: readonly EncodableRecord[], baseMs: number): Buffer {
  let size = 0;
  for (const record of records) size += recordSizeMax(record) + 5;
  const writer = new RecordWriter(Buffer.allocUnsafe(size));
  for (const [i, { key, value, headers = [], timestampMs }] of records.entries()) {
    // The length stands first and is known last: five bytes are kept for it, then closed up.
    const start = writer.at;
    writer.at = start + 5;
    writer.byte(0);
    writer.varint(timestampMs - baseMs);
    writer.varint(i);
    writer.sized(key);
    writer.sized(value);
    writer.varint(headers.length);
    for (const [name, bytes] of headers) {
      writer.sized(Buffer.from(name));
      writer.sized(bytes);
    }
    writer.closeLength(start);
  }
  return writer.written();
}

class RecordWriter {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(value: number): void {
    this.#bytes[this.at++] = value;
  }

  /** Zigzag, seven bits a byte; exact for all whole numbers, as times may differ by more than 32 bits. */
  varint(value: number): void {
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    while (rest >= 0x80) {
      this.#bytes[this.at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.at++] = rest;
  }

  sized(value: Uint8Array | null): void {
    this.varint(value === null ? -1 : value.length);
    if (value === null) return;
    this.#bytes.set(value, this.at);
    this.at += value.length;
  }

  closeLength(start: number): void {
    const end = this.at;
    this.at = start;
    this.varint(end - start - 5);
    const moved = start + 5 - this.at;
    if (moved > 0) this.#bytes.copyWithin(this.at, start + 5, end);
    this.at = end - moved;
  }

  written(): Buffer {
    return this.#bytes.subarray(0, this.at);
  }
}

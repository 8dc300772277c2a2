import { FreshetError } from '../../src/errors.ts';
import type { Header, TimestampType } from '../../src/log/index.ts';
import { COMPRESSIONS, decompress } from './codecs.ts';
import { ATTRIBUTES, BATCH, BATCH_PREFIX_BYTES, MAGIC, readInt64 } from './record-batch.ts';

/** Records of one fetch of a partition, in offset order. */
export interface FetchedRecords {
  readonly offsets: number[];
  readonly timestampsMs: number[];
  readonly keys: (Uint8Array | null)[];
  readonly values: (Uint8Array | null)[];
  /** Where the headers of each record begin, in which bytes. */
  readonly headersAt: number[];
  readonly headerBytes: Buffer[];
  timestampType: TimestampType;
  /** Behind everything that was read, control records and aborted records included. */
  nextOffset: number;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * The records of a fetch from `offset` on. Records of aborted transactions and control records are
 * stepped over; so is a batch at the end that the fetch cut off.
 * @throws FreshetError LOG_CORRUPT
 */
export async function decodeRecords(
  bytes: Buffer,
  offset: number,
  aborted: readonly AbortedTransaction[] = [],
): Promise<FetchedRecords> {
  const into: FetchedRecords = {
    offsets: [],
    timestampsMs: [],
    keys: [],
    values: [],
    headersAt: [],
    headerBytes: [],
    timestampType: 'CreateTime',
    nextOffset: offset,
  };
  const filter = new AbortedFilter(aborted);
  for (let at = 0; bytes.length - at >= BATCH.records; ) {
    const size = BATCH_PREFIX_BYTES + bytes.readInt32BE(at + BATCH.length);
    if (bytes.length - at < size) break;
    const batch = bytes.subarray(at, at + size);
    at += size;
    requireMagic(batch);
    const baseOffset = readInt64(batch, BATCH.baseOffset);
    const lastOffset = baseOffset + batch.readInt32BE(BATCH.lastOffsetDelta);
    const attributes = batch.readInt16BE(BATCH.attributes);
    const isWanted = filter.isWanted(batch, attributes, lastOffset);
    if (lastOffset < offset) continue;
    if (isWanted) {
      const compression = COMPRESSIONS[attributes & ATTRIBUTES.compression];
      if (compression === undefined) throw corrupt('a batch is packed with an unknown codec');
      const packed = batch.subarray(BATCH.records);
      const records = compression === 'none' ? packed : await decompress(compression, packed);
      readRecords(records, batch, offset, into);
    }
    into.nextOffset = lastOffset + 1;
  }
  return into;
}

/** Headers in their order; a null value is read as an empty one. */
export function decodeHeaders({ headerBytes, headersAt }: FetchedRecords, i: number): Header[] {
  const reader = new RecordReader(headerBytes[i] as Buffer, headersAt[i] as number);
  return Array.from({ length: reader.varint() }, (): Header => {
    const name = Buffer.from(reader.sized() ?? NOTHING).toString();
    return [name, reader.sized() ?? NOTHING];
  });
}

const NOTHING = new Uint8Array(0);

function readRecords(records: Buffer, batch: Buffer, offset: number, into: FetchedRecords): void {
  const baseOffset = readInt64(batch, BATCH.baseOffset);
  const baseMs = readInt64(batch, BATCH.baseTimestamp);
  const isLogTime = (batch.readInt16BE(BATCH.attributes) & ATTRIBUTES.logAppendTime) !== 0;
  const logMs = readInt64(batch, BATCH.maxTimestamp);
  into.timestampType = isLogTime ? 'LogAppendTime' : 'CreateTime';
  const reader = new RecordReader(records, 0);
  for (let i = batch.readInt32BE(BATCH.count); i > 0; i--) {
    const length = reader.varint();
    const end = reader.at + length;
    if (end > records.length) throw corrupt('a record ends behind its batch');
    reader.at++; // attributes, of which none is in use
    const timestampMs = baseMs + reader.varint();
    const recordOffset = baseOffset + reader.varint();
    if (recordOffset >= offset) {
      into.offsets.push(recordOffset);
      into.timestampsMs.push(isLogTime ? logMs : timestampMs);
      into.keys.push(reader.sized());
      into.values.push(reader.sized());
      into.headersAt.push(reader.at);
      into.headerBytes.push(records);
    }
    reader.at = end;
  }
}

/** Tells records of aborted transactions by the list that comes with a fetch. */
class AbortedFilter {
  /** Soonest last. */
  readonly #coming: AbortedTransaction[];
  readonly #aborting = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#coming = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset);
  }

  isWanted(batch: Buffer, attributes: number, lastOffset: number): boolean {
    while ((this.#coming.at(-1)?.firstOffset ?? Number.POSITIVE_INFINITY) <= lastOffset) {
      this.#aborting.add((this.#coming.pop() as AbortedTransaction).producerId);
    }
    const producerId = readInt64(batch, BATCH.producerId);
    if ((attributes & ATTRIBUTES.control) !== 0) {
      // The marker that ends the transaction; what this producer writes next is another one.
      this.#aborting.delete(producerId);
      return false;
    }
    return (attributes & ATTRIBUTES.transactional) === 0 || !this.#aborting.has(producerId);
  }
}

class RecordReader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Zigzag; the first four bytes by shifts, the rest of large times by products. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++] as number;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = bytes[this.at++] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    for (let scale = 2 ** 28; scale < 2 ** 64; scale *= 0x80) {
      byte = bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw corrupt('a number in a record does not end');
  }

  sized(): Uint8Array | null {
    const size = this.varint();
    if (size < 0) return null;
    const start = this.at;
    this.at = start + size;
    return this.#bytes.subarray(start, this.at);
  }
}

function requireMagic(batch: Buffer): void {
  const magic = batch.readInt8(BATCH.magic);
  if (magic !== MAGIC) throw corrupt(`a batch has format ${magic}; Freshet reads format ${MAGIC}`);
}

function corrupt(what: string): FreshetError {
  return new FreshetError('LOG_CORRUPT', what);
}

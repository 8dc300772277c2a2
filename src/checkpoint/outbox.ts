/**
 * Records that a micro-batch decided to append to another topic: dead letters now, window results
 * when there are windows. They are written with the batch's state and appended afterwards, each
 * with its sequence number in a header, so that a repeat after a crash is recognised.
 *
 * ```
 * key   := numbered key, space OUTBOX, sequence u64
 * value := headLength u32 | head (JSON: topic, partition, keyLength, valueLength, headers) | key | value
 * ```
 * A length of -1 stands for null.
 */
import { FreshetError } from '../errors.ts';
import {
  type Header,
  type Log,
  type ProducedRecord,
  type TopicPartition,
  topicPartitionName,
} from '../log/index.ts';

/** What a micro-batch leaves to be appended. */
export interface OutboxRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly Header[];
}

/** Names the record's place in its outbox: `topic-partition:sequence`. */
export const SEQUENCE_HEADER = 'freshet-sequence';

export function encodeOutboxRecord(record: OutboxRecord): Uint8Array {
  const head = Buffer.from(
    JSON.stringify({
      topic: record.topic,
      partition: record.partition,
      keyLength: record.key?.length ?? -1,
      valueLength: record.value?.length ?? -1,
      headers: record.headers.map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    }),
  );
  const headLength = Buffer.allocUnsafe(4);
  headLength.writeUInt32BE(head.length);
  const none = new Uint8Array(0);
  return Buffer.concat([headLength, head, record.key ?? none, record.value ?? none]);
}

/** @throws FreshetError STORE_CORRUPT */
export function decodeOutboxRecord(bytes: Uint8Array): OutboxRecord {
  try {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const keyStart = 4 + buffer.readUInt32BE(0);
    const head = JSON.parse(buffer.toString('utf8', 4, keyStart));
    const valueStart = keyStart + Math.max(0, head.keyLength);
    const size = valueStart + Math.max(0, head.valueLength);
    if (size !== buffer.length) throw new RangeError(`${buffer.length} bytes, not ${size}`);
    return {
      topic: head.topic,
      partition: head.partition,
      key: head.keyLength < 0 ? null : buffer.subarray(keyStart, valueStart),
      value: head.valueLength < 0 ? null : buffer.subarray(valueStart),
      headers: head.headers.map(([name, value]: [string, string]) => [
        name,
        Buffer.from(value, 'base64'),
      ]),
    };
  } catch (cause) {
    throw new FreshetError('STORE_CORRUPT', 'an outbox record cannot be read', { cause });
  }
}

/** The outbox record as it goes to its topic, numbered. */
export function numberedRecord(
  record: OutboxRecord,
  source: TopicPartition,
  sequence: number,
): ProducedRecord {
  const text = `${topicPartitionName(source)}:${sequence}`;
  const header: Header = [SEQUENCE_HEADER, Buffer.from(text)];
  return { ...record, headers: [...record.headers, header] };
}

/**
 * Sequences of `source` that the target already holds at or behind `fromOffset`: what a crash
 * between append and acknowledgement left there.
 */
export async function appendedSequences(
  log: Log,
  target: TopicPartition,
  fromOffset: number,
  source: TopicPartition,
): Promise<Set<number>> {
  const [marks] = await log.watermarks([target]);
  const found = new Set<number>();
  if (marks === undefined) return found;
  const offset = Math.max(fromOffset, marks.start);
  if (offset >= marks.end) return found;
  const prefix = `${topicPartitionName(source)}:`;
  const reader = await log.assign([{ ...target, offset }]);
  try {
    for (let next = offset; next < marks.end; ) {
      for (const batch of await reader.poll({ waitMs: 1_000 })) {
        for (let i = 0; i < batch.count; i++) {
          const text = numberOf(batch.headers(i));
          if (text.startsWith(prefix)) found.add(Number(text.slice(prefix.length)));
        }
        next = batch.nextOffset;
      }
    }
  } finally {
    await reader.close();
  }
  return found;
}

/** The last one counts: a record that was a dead letter before brings an older number with it. */
function numberOf(headers: readonly Header[]): string {
  const header = headers.findLast(([name]) => name === SEQUENCE_HEADER);
  return header === undefined ? '' : Buffer.from(header[1]).toString();
}

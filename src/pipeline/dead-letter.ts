import type { OutboxRecord } from '../checkpoint/index.ts';
import type { Reject } from '../codec/index.ts';
import { DEAD_LETTER_BYTES_MAX } from '../core/limits.ts';
import type { Header, LogBatch } from '../log/index.ts';

/** Headers of a dead letter; values are UTF-8 text. */
export const DEAD_LETTER_HEADERS = {
  code: 'freshet-error-code',
  reason: 'freshet-error-reason',
  topic: 'freshet-topic',
  partition: 'freshet-partition',
  offset: 'freshet-offset',
  timestampMs: 'freshet-timestamp-ms',
  /** Set when the value was too large to carry: its whole length in bytes. */
  truncated: 'freshet-truncated-bytes',
} as const;

/** All dead letters of one log go to one partition, so that a repeat is found by reading one tail. */
export const DEAD_LETTER_PARTITION = 0;

/** A rejected record with its reason, its origin, its own headers and its bytes. */
export function deadLetter(topic: string, batch: LogBatch, reject: Reject): OutboxRecord {
  const i = reject.index;
  const value = batch.values[i] ?? null;
  const headers: Header[] = [
    ...batch.headers(i),
    text(DEAD_LETTER_HEADERS.code, reject.code),
    text(DEAD_LETTER_HEADERS.reason, reject.reason),
    text(DEAD_LETTER_HEADERS.topic, batch.topic),
    text(DEAD_LETTER_HEADERS.partition, batch.partition),
    text(DEAD_LETTER_HEADERS.offset, batch.offsets[i] as number),
    text(DEAD_LETTER_HEADERS.timestampMs, batch.timestampsMs[i] as number),
  ];
  const tooLarge = value !== null && value.length > DEAD_LETTER_BYTES_MAX;
  if (tooLarge) headers.push(text(DEAD_LETTER_HEADERS.truncated, value.length));
  return {
    topic,
    partition: DEAD_LETTER_PARTITION,
    key: batch.keys[i] ?? null,
    value: tooLarge ? value.subarray(0, DEAD_LETTER_BYTES_MAX) : value,
    headers,
  };
}

function text(name: string, value: string | number): Header {
  return [name, Buffer.from(String(value))];
}

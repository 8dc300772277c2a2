import { SEQUENCE_HEADER } from '../checkpoint/index.ts';
import type { Header, Log, LogBatch, ProducedRecord } from '../log/index.ts';
import { DEAD_LETTER_HEADERS, DEAD_LETTER_PARTITION } from '../pipeline/index.ts';
import type { Resources } from './resources.ts';

/** A record that the engine could not use, with its reason and its origin. */
export interface DeadLetter {
  /** Its offset in the dead-letter topic, which names it. */
  readonly id: number;
  readonly code: string;
  readonly reason: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Whole length of a value that was too large to carry; null when it is whole. */
  readonly truncatedBytes: number | null;
  /** The record's own headers. */
  readonly headers: readonly Header[];
}

export interface DeadLetterFilter {
  readonly topic?: string;
  readonly code?: string;
  /** Only the letter of this id. */
  readonly id?: number;
}

/** Told with a record that is sent again, so that its consumers can tell. */
const RETRY_HEADER = 'freshet-retry-of';
const OURS = new Set<string>([...Object.values(DEAD_LETTER_HEADERS), SEQUENCE_HEADER]);

/** The dead letters of a project. Letters stay in their topic; what was retried is remembered. */
export class DeadLetters {
  readonly #resources: Resources;

  constructor(resources: Resources) {
    this.#resources = resources;
  }

  /** Letters in the order in which they came. */
  async *list(filter: DeadLetterFilter = {}): AsyncGenerator<DeadLetter> {
    const log = await this.#resources.logToRead();
    if (log !== null) yield* read(log, this.#topic, filter, 0);
  }

  /**
   * Sends letters to their topics again: those that were not retried before, or the one of an id.
   * Truncated ones cannot be sent. The engine reads them like any record; what is still bad comes
   * back as a new letter.
   */
  async retry(filter: DeadLetterFilter = {}): Promise<{ sent: number; truncated: number }> {
    const log = await this.#resources.log();
    const tp = { topic: this.#topic, partition: DEAD_LETTER_PARTITION };
    const group = `${this.#resources.config.engine.group}-retry`;
    const isAll = Object.keys(filter).length === 0;
    const [done] = isAll ? await log.committedOffsets(group, [tp]) : [null];
    const records: ProducedRecord[] = [];
    let truncated = 0;
    let next = done ?? 0;
    for await (const letter of read(log, this.#topic, filter, next)) {
      next = letter.id + 1;
      if (letter.truncatedBytes !== null) truncated++;
      else records.push(again(letter));
    }
    if (records.length > 0) await log.append(records);
    if (isAll) await log.commitOffsets(group, [{ ...tp, offset: next }]);
    return { sent: records.length, truncated };
  }

  get #topic(): string {
    return this.#resources.config.engine.deadLetterTopic;
  }
}

async function* read(
  log: Log,
  topic: string,
  filter: DeadLetterFilter,
  from: number,
): AsyncGenerator<DeadLetter> {
  if (!(await log.listTopics()).includes(topic)) return;
  const tp = { topic, partition: DEAD_LETTER_PARTITION };
  const [marks] = await log.watermarks([tp]);
  const { start, end } = marks as { start: number; end: number };
  await using reader = await log.assign([{ ...tp, offset: Math.max(start, from) }]);
  for (let next = Math.max(start, from); next < end; ) {
    for (const batch of await reader.poll({ waitMs: 1_000 })) {
      for (let i = 0; i < batch.count; i++) {
        const letter = toLetter(batch, i);
        if (letter.id < end && matches(letter, filter)) yield letter;
      }
      next = batch.nextOffset;
    }
  }
}

function matches(letter: DeadLetter, { topic, code, id }: DeadLetterFilter): boolean {
  return (
    (topic === undefined || letter.topic === topic) &&
    (code === undefined || letter.code === code) &&
    (id === undefined || letter.id === id)
  );
}

function toLetter(batch: LogBatch, i: number): DeadLetter {
  const all = batch.headers(i);
  // The last of a name counts: the record may have been a letter before.
  const found = new Map(all.map(([name, value]) => [name, Buffer.from(value).toString()]));
  const truncated = found.get(DEAD_LETTER_HEADERS.truncated);
  return {
    id: batch.offsets[i] as number,
    code: found.get(DEAD_LETTER_HEADERS.code) ?? '',
    reason: found.get(DEAD_LETTER_HEADERS.reason) ?? '',
    topic: found.get(DEAD_LETTER_HEADERS.topic) ?? '',
    partition: Number(found.get(DEAD_LETTER_HEADERS.partition)),
    offset: Number(found.get(DEAD_LETTER_HEADERS.offset)),
    timestampMs: Number(found.get(DEAD_LETTER_HEADERS.timestampMs)),
    key: batch.keys[i] ?? null,
    value: batch.values[i] ?? null,
    truncatedBytes: truncated === undefined ? null : Number(truncated),
    headers: all.filter(([name]) => !OURS.has(name)),
  };
}

function again(letter: DeadLetter): ProducedRecord {
  const { topic, partition, key, value, timestampMs } = letter;
  const headers = letter.headers.filter(([name]) => !name.startsWith('freshet-'));
  const mark: Header = [RETRY_HEADER, Buffer.from(String(letter.id))];
  return { topic, partition, key, value, timestampMs, headers: [...headers, mark] };
}

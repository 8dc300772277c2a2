/** What the parts of the log suite share. */
import type {
  Log,
  LogBatch,
  LogReader,
  PollOptions,
  ProducedRecord,
  TopicSpec,
} from '../../src/log/index.ts';

export interface LogUnderTest {
  readonly log: Log;
  readonly open: () => Promise<Log>;
  /** A name that nobody has used. */
  name(what: string): string;
  /** A new topic under CreateTime; its name. Default one partition. */
  topic(partitions?: number, more?: Partial<TopicSpec>): Promise<string>;
}

/** Long enough for a broker beside us; a poll that has records does not wait. */
export const WAIT_MS = 10_000;

export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

export function text(value: Uint8Array | null | undefined): string | null | undefined {
  return value && Buffer.from(value).toString();
}

/** Records `key=value` of one topic; without `=` there is no key. */
export function records(topic: string, ...pairs: string[]): ProducedRecord[] {
  return pairs.map((pair) => {
    const [value, key] = pair.split('=').reverse() as [string, string?];
    return { topic, key: key === undefined ? null : bytes(key), value: bytes(value) };
  });
}

export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [string, string])[];
}

export function recordsOf(batches: readonly LogBatch[]): ReadRecord[] {
  return batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, i) => ({
      partition: batch.partition,
      offset: batch.offsets[i] as number,
      timestampMs: batch.timestampsMs[i] as number,
      key: batch.keys[i] as Uint8Array | null,
      value: batch.values[i] as Uint8Array | null,
      headers: batch.headers(i).map(([name, value]) => [name, text(value) as string] as const),
    })),
  );
}

export function valuesOf(batches: readonly LogBatch[]): (string | null | undefined)[] {
  return recordsOf(batches).map(({ value }) => text(value));
}

/** Polls until `count` records came. */
export async function take(
  reader: LogReader,
  count: number,
  options: PollOptions = {},
): Promise<LogBatch[]> {
  const batches: LogBatch[] = [];
  for (let found = 0; found < count; ) {
    const polled = await reader.poll({ waitMs: WAIT_MS, ...options });
    if (polled.length === 0) throw new Error(`${found} of ${count} records came`);
    for (const batch of polled) found += batch.count;
    batches.push(...polled);
  }
  return batches;
}

/** Everything in the topic, read without a group. */
export async function readAll(log: Log, topic: string): Promise<LogBatch[]> {
  const { partitions } = await log.describeTopic(topic);
  const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const marks = await log.watermarks(tps);
  await using reader = await log.assign(
    marks.map(({ start, end: _, ...tp }) => ({ ...tp, offset: start })),
  );
  const left = new Map(
    marks.filter(({ start, end }) => end > start).map((m) => [m.partition, m.end]),
  );
  const batches: LogBatch[] = [];
  while (left.size > 0) {
    const polled = await reader.poll({ waitMs: WAIT_MS });
    if (polled.length === 0) throw new Error(`nothing more came; ${left.size} partitions are left`);
    for (const batch of polled) {
      if (batch.nextOffset >= (left.get(batch.partition) as number)) left.delete(batch.partition);
    }
    batches.push(...polled);
  }
  return batches;
}

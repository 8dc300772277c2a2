/** What the tests of the commit share: a log in memory, and reading a topic whole. */
import { openEmbeddedLog } from '../../connectors/embedded/index.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Header, Log, TopicPartition } from '../../src/log/index.ts';

export const DEAD_LETTERS = 'dead-letters';

export interface ReadRecord {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  /** As text; of a repeated name the last. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A log in memory with a topic of dead letters. */
export async function openTestLog(clock?: Clock): Promise<Log> {
  const log = await openEmbeddedLog({ path: 'none', binding: 'memory', ...(clock && { clock }) });
  await log.createTopic({ topic: DEAD_LETTERS, partitions: 1 });
  return log;
}

/** Every record of a partition. */
export async function readAll(log: Log, tp: TopicPartition): Promise<ReadRecord[]> {
  const [marks] = await log.watermarks([tp]);
  const reader = await log.assign([{ ...tp, offset: marks!.start }]);
  const records: ReadRecord[] = [];
  try {
    for (let next = marks!.start; next < marks!.end; ) {
      for (const batch of await reader.poll({ waitMs: 1_000 })) {
        next = batch.nextOffset;
        for (let i = 0; i < batch.count; i++) {
          records.push({
            offset: batch.offsets[i]!,
            key: textOf(batch.keys[i]!),
            value: textOf(batch.values[i]!),
            headers: headersOf(batch.headers(i)),
          });
        }
      }
    }
  } finally {
    await reader.close();
  }
  return records;
}

function headersOf(headers: readonly Header[]): Record<string, string> {
  return Object.fromEntries(headers.map(([name, value]) => [name, Buffer.from(value).toString()]));
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString();
}

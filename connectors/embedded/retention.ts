/** Old records leave the log in whole stored batches, oldest first. */
import { KvBatch, type KvStore } from '../../src/kv/index.ts';
import { decodeBatch } from './batch-format.ts';
import { baseOffsetOf, batchKey } from './log-keys.ts';
import type { Topic, Topics } from './topics.ts';

/** Applies each topic's `retentionMs` (by the newest record of a batch) and `retentionBytes`. */
export async function enforceRetention(kv: KvStore, topics: Topics, nowMs: number): Promise<void> {
  for (const topic of topics.all()) {
    const { retentionMs, retentionBytes } = topic;
    if (retentionMs === null && retentionBytes === null) continue;
    const oldestMs = retentionMs === null ? Number.NEGATIVE_INFINITY : nowMs - retentionMs;
    const bytesMax = retentionBytes ?? Number.POSITIVE_INFINITY;
    for (let partition = 0; partition < topic.partitions; partition++) {
      await trim(
        kv,
        topics,
        topic,
        partition,
        ({ newestMs, bytesLeft }) => newestMs < oldestMs || bytesLeft > bytesMax,
      );
    }
  }
}

/** Raises the partition's start to `offset`, at most to its end. */
export async function trimBefore(
  kv: KvStore,
  topics: Topics,
  topic: Topic,
  partition: number,
  offset: number,
): Promise<void> {
  await trim(kv, topics, topic, partition, ({ endOffset }) => endOffset <= offset);
  const state = topics.state(topic, partition);
  const start = Math.max(state.start, Math.min(offset, state.next));
  const batch = new KvBatch();
  topics.stage(topic, partition, { ...state, start }, batch);
  await kv.write(batch, { sync: true });
  topics.commit(topic, partition, { ...topics.state(topic, partition), start });
}

interface OldestBatch {
  readonly endOffset: number;
  readonly newestMs: number;
  /** Of this batch and all behind it. */
  readonly bytesLeft: number;
}

/** Removes batches from the start as long as they are to go. */
async function trim(
  kv: KvStore,
  topics: Topics,
  topic: Topic,
  partition: number,
  isToGo: (batch: OldestBatch) => boolean,
): Promise<void> {
  const state = topics.state(topic, partition);
  let bytes = state.bytes;
  let end = state.start;
  const first = batchKey(topic.id, partition, 0);
  const range = { gte: first, lt: batchKey(topic.id, partition + 1, 0), pageSize: 16 };
  scan: for await (const page of kv.scan(range)) {
    for (const [key, value] of page) {
      const where = { topic: topic.topic, partition, offset: baseOffsetOf(key) };
      const batch = decodeBatch(value, where);
      const endOffset = batch.baseOffset + batch.count;
      let newestMs = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < batch.count; i++) newestMs = Math.max(newestMs, batch.timestampMs(i));
      if (!isToGo({ endOffset, newestMs, bytesLeft: bytes })) break scan;
      bytes -= value.length;
      end = endOffset;
    }
  }
  if (end === state.start) return;
  const batch = new KvBatch().deleteRange(first, batchKey(topic.id, partition, end));
  const trimmed = { ...state, start: end, bytes };
  topics.stage(topic, partition, trimmed, batch);
  await kv.write(batch, { sync: true });
  topics.commit(topic, partition, trimmed);
}

import { KvBatch, type KvStore } from '../../src/kv/index.ts';
import { type Cursor, topicPartitionName } from '../../src/log/index.ts';
import { encodeBatch, type StampedRecord, type StoredBatch } from './batch-format.ts';
import type { BatchReader } from './batch-reader.ts';
import { batchKey } from './log-keys.ts';
import type { Topics } from './topics.ts';

/**
 * Writes the batches that hold the records without them, and rewrites the files. All of it is in one
 * write, so that a stop leaves all or none of the records; records that are gone already are no fault.
 */
export async function eraseRecords(
  kv: KvStore,
  topics: Topics,
  batches: BatchReader,
  records: readonly Cursor[],
): Promise<void> {
  const changes = new KvBatch();
  const states: (() => void)[] = [];
  for (const offsets of byPartition(records).values()) {
    const [{ topic: name, partition }] = offsets as [Cursor];
    const topic = topics.require({ topic: name });
    const state = topics.state(topic, partition);
    const wanted = new Set(offsets.map(({ offset }) => offset));
    let { bytes } = state;
    let behind = state.start;
    for (const { offset } of offsets) {
      if (offset < behind || offset >= state.next) continue;
      const batch = await batches.batchAt({ topic: name, partition }, offset);
      if (batch === null) continue;
      behind = batch.baseOffset + batch.count;
      const rewritten = encodeBatch(batch.baseOffset, withoutRecords(name, batch, wanted));
      bytes += rewritten.length - batch.byteLength;
      changes.put(batchKey(topic.id, partition, batch.baseOffset), rewritten);
    }
    const after = { ...state, bytes };
    topics.stage(topic, partition, after, changes);
    states.push(() => topics.commit(topic, partition, after));
  }
  await kv.write(changes, { sync: true });
  for (const commit of states) commit();
  batches.forget();
  await kv.purge();
}

function byPartition(records: readonly Cursor[]): Map<string, Cursor[]> {
  const partitions = new Map<string, Cursor[]>();
  for (const record of records.toSorted((a, b) => a.offset - b.offset)) {
    const name = topicPartitionName(record);
    const known = partitions.get(name);
    if (known === undefined) partitions.set(name, [record]);
    else known.push(record);
  }
  return partitions;
}

function withoutRecords(
  topic: string,
  batch: StoredBatch,
  offsets: ReadonlySet<number>,
): StampedRecord[] {
  return Array.from({ length: batch.count }, (_, i): StampedRecord => {
    const timestampMs = batch.timestampMs(i);
    if (batch.isErased(i) || offsets.has(batch.baseOffset + i)) {
      return { record: { topic, key: null, value: null }, timestampMs, isErased: true };
    }
    const record = { topic, key: batch.key(i), value: batch.value(i), headers: batch.headers(i) };
    return { record, timestampMs };
  });
}

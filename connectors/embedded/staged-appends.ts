import { partitionForKey } from '../../src/core/murmur2.ts';
import { KvBatch } from '../../src/kv/index.ts';
import type { AppendResult, ProducedRecord } from '../../src/log/index.ts';
import { encodeBatch, type StampedRecord, sizeOf } from './batch-format.ts';
import { batchKey } from './log-keys.ts';
import type { PartitionState, Topic, Topics } from './topics.ts';

/** Bytes of records in one stored batch: much for a write, little to read for one record. */
const BATCH_BYTES = 128 * 1024;

interface Staged {
  readonly topic: Topic;
  readonly partition: number;
  readonly before: PartitionState;
  readonly records: StampedRecord[];
  lastAppendMs: number;
  after: PartitionState;
}

/** Appends that are written together: places and stamps their records, then encodes them. */
export class StagedAppends {
  readonly #topics: Topics;
  readonly #nextPartition: Map<string, number>;
  readonly #nowMs: number;
  readonly #staged = new Map<string, Staged>();

  /** `nextPartition` holds, by topic, where its next record without a key goes. */
  constructor(topics: Topics, nextPartition: Map<string, number>, nowMs: number) {
    this.#topics = topics;
    this.#nextPartition = nextPartition;
    this.#nowMs = nowMs;
  }

  /** @throws FreshetError TOPIC_UNKNOWN; then none of these records is staged */
  add(records: readonly ProducedRecord[]): AppendResult[] {
    const places = records.map((record) => {
      const topic = this.#topics.require(record);
      return { topic, partition: record.partition ?? this.#partitionOf(topic, record.key) };
    });
    return records.map((record, i) => {
      const { topic, partition } = places[i] as { topic: Topic; partition: number };
      const staged = this.#partition(topic, partition);
      staged.records.push({ record, timestampMs: this.#stamp(staged, record) });
      const offset = staged.before.next + staged.records.length - 1;
      return { topic: topic.topic, partition, offset };
    });
  }

  encode(): KvBatch {
    const batch = new KvBatch();
    for (const staged of this.#staged.values()) {
      const { topic, partition, before, records } = staged;
      let bytes = before.bytes;
      for (const [from, to] of chunks(records)) {
        const baseOffset = before.next + from;
        const encoded = encodeBatch(baseOffset, records.slice(from, to));
        batch.put(batchKey(topic.id, partition, baseOffset), encoded);
        bytes += encoded.length;
      }
      const { lastAppendMs } = staged;
      staged.after = { ...before, next: before.next + records.length, bytes, lastAppendMs };
      this.#topics.stage(topic, partition, staged.after, batch);
    }
    return batch;
  }

  /** Makes the new positions known, once the encoded batch is written. */
  commit(): void {
    for (const { topic, partition, after } of this.#staged.values()) {
      this.#topics.commit(topic, partition, after);
    }
  }

  #partition(topic: Topic, partition: number): Staged {
    const name = `${topic.id}-${partition}`;
    let staged = this.#staged.get(name);
    if (staged === undefined) {
      const before = this.#topics.state(topic, partition);
      const { lastAppendMs } = before;
      staged = { topic, partition, before, records: [], lastAppendMs, after: before };
      this.#staged.set(name, staged);
    }
    return staged;
  }

  /** The log's own time never goes back in a partition, though the machine's clock may. */
  #stamp(staged: Staged, record: ProducedRecord): number {
    if (staged.topic.timestampType === 'CreateTime') return record.timestampMs ?? this.#nowMs;
    staged.lastAppendMs = Math.max(staged.lastAppendMs, this.#nowMs);
    return staged.lastAppendMs;
  }

  #partitionOf(topic: Topic, key: Uint8Array | null): number {
    if (key !== null) return partitionForKey(key, topic.partitions);
    const next = this.#nextPartition.get(topic.topic) ?? 0;
    this.#nextPartition.set(topic.topic, (next + 1) % topic.partitions);
    return next;
  }
}

/** Ranges of records of about BATCH_BYTES each; a larger record is alone. */
function* chunks(
  records: readonly StampedRecord[],
): Generator<readonly [from: number, to: number]> {
  let from = 0;
  let bytes = 0;
  for (const [i, { record }] of records.entries()) {
    const size = sizeOf(record);
    if (i > from && bytes + size > BATCH_BYTES) {
      yield [from, i];
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (records.length > from) yield [from, records.length];
}

import { FreshetError } from '../../src/errors.ts';
import type { KvStore } from '../../src/kv/index.ts';
import type { TopicPartition } from '../../src/log/index.ts';
import { decodeBatch, type StoredBatch } from './batch-format.ts';
import { baseOffsetOf, batchKey } from './log-keys.ts';
import type { Topics } from './topics.ts';

const READ_PAGE_BATCHES = 16;

/** Finds and decodes stored batches. */
export class BatchReader {
  readonly #kv: KvStore;
  readonly #topics: Topics;
  /** By partition: most reads go on in the batch where the last one ended. */
  readonly #lastRead = new Map<string, StoredBatch>();

  constructor(kv: KvStore, topics: Topics) {
    this.#kv = kv;
    this.#topics = topics;
  }

  /**
   * Batches from the one that holds `offset` on, until there are so many records or bytes; null when
   * the record has been removed meanwhile.
   * @throws FreshetError LOG_CORRUPT
   */
  async read(
    tp: TopicPartition,
    offset: number,
    recordsMax: number,
    bytesMax: number,
  ): Promise<StoredBatch[] | null> {
    const first = await this.batchAt(tp, offset);
    if (first === null) return null;
    const batches = [first];
    let records = first.baseOffset + first.count - offset;
    let bytes = first.byteLength;
    if (records >= recordsMax || bytes >= bytesMax) return batches;
    const { id } = this.#topics.require(tp);
    const range = {
      gte: batchKey(id, tp.partition, first.baseOffset + first.count),
      lt: batchKey(id, tp.partition + 1, 0),
      pageSize: READ_PAGE_BATCHES,
    };
    scan: for await (const page of this.#kv.scan(range)) {
      for (const [key, value] of page) {
        const batch = decodeBatch(value, { ...tp, offset: baseOffsetOf(key) });
        batches.push(batch);
        records += batch.count;
        bytes += batch.byteLength;
        if (records >= recordsMax || bytes >= bytesMax) break scan;
      }
    }
    this.#lastRead.set(`${id}-${tp.partition}`, batches.at(-1) as StoredBatch);
    return batches;
  }

  /** A stored batch has other bytes now. */
  forget(): void {
    this.#lastRead.clear();
  }

  /** The stored batch that holds the offset; null when it has been removed. */
  async batchAt(tp: TopicPartition, offset: number): Promise<StoredBatch | null> {
    const topic = this.#topics.require(tp);
    const last = this.#lastRead.get(`${topic.id}-${tp.partition}`);
    if (last && last.baseOffset <= offset && offset < last.baseOffset + last.count) return last;
    const range = {
      gte: batchKey(topic.id, tp.partition, 0),
      lt: batchKey(topic.id, tp.partition, offset + 1),
      reverse: true,
      limit: 1,
    };
    for await (const page of this.#kv.scan(range)) {
      for (const [key, value] of page) {
        const batch = decodeBatch(value, { ...tp, offset: baseOffsetOf(key) });
        if (offset < batch.baseOffset + batch.count) return batch;
      }
    }
    if (offset < this.#topics.state(topic, tp.partition).start) return null;
    throw new FreshetError('LOG_CORRUPT', `the log has no record at offset ${offset}`, {
      where: { ...tp, offset },
    });
  }
}

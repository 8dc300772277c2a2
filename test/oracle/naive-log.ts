import { partitionForKey } from '../../src/core/murmur2.ts';
import type { ProducedRecord } from '../../src/log/index.ts';

/** The obvious log of one topic: an array a partition, and where each begins. */
export class NaiveLog {
  readonly partitions: readonly { start: number; readonly records: ProducedRecord[] }[];

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => ({ start: 0, records: [] }));
  }

  /** The place of each record; records without a key must name their partition. */
  append(records: readonly ProducedRecord[]): { partition: number; offset: number }[] {
    return records.map((record) => {
      const { key, partition = partitionForKey(key as Uint8Array, this.partitions.length) } =
        record;
      const { records: kept } = this.#partition(partition);
      kept.push(record);
      return { partition, offset: kept.length - 1 };
    });
  }

  deleteBefore(partition: number, offset: number): void {
    const kept = this.#partition(partition);
    kept.start = Math.max(kept.start, Math.min(offset, kept.records.length));
  }

  watermarks(): { partition: number; start: number; end: number }[] {
    return this.partitions.map(({ start, records }, partition) => ({
      partition,
      start,
      end: records.length,
    }));
  }

  offsetForTime(partition: number, timestampMs: number): number | null {
    const { start, records } = this.#partition(partition);
    const found = records.findIndex(
      (record, offset) => offset >= start && (record.timestampMs as number) >= timestampMs,
    );
    return found < 0 ? null : found;
  }

  /** What lies between a cursor and the end. */
  from(partition: number, offset: number): ProducedRecord[] {
    return this.#partition(partition).records.slice(offset);
  }

  #partition(partition: number): { start: number; readonly records: ProducedRecord[] } {
    const found = this.partitions[partition];
    if (found === undefined) throw new Error(`there is no partition ${partition}`);
    return found;
  }
}

import type { LogBatch, PollOptions, TopicPartition } from '../../src/log/index.ts';
import { decodeHeaders, type FetchedRecords } from './record-decoder.ts';

const RECORDS_MAX = 8_192;
const BYTES_MAX = 4 * 1024 * 1024;

/** Where a reader is in one partition, and what it has fetched beyond that. */
export class PartitionCursor {
  readonly tp: TopicPartition;
  /** The next offset to deliver. */
  offset: number;
  isPaused = false;
  error: unknown = null;
  /** Of its fetches, one after the other. */
  failures = 0;
  #fetched: FetchedRecords | null = null;
  #taken = 0;
  #highWatermark = 0;
  #logStartOffset = 0;

  constructor(tp: TopicPartition, offset: number) {
    this.tp = tp;
    this.offset = offset;
  }

  get hasRecords(): boolean {
    return this.#fetched !== null && !this.isPaused;
  }

  /** Whether a fetch is due. */
  get isWanting(): boolean {
    return this.#fetched === null && !this.isPaused && this.error === null;
  }

  accept(
    fetched: FetchedRecords,
    bounds: { readonly lastStableOffset: number; readonly logStartOffset: number },
  ): void {
    this.#highWatermark = bounds.lastStableOffset;
    this.#logStartOffset = bounds.logStartOffset;
    this.#taken = 0;
    this.#fetched = fetched.nextOffset > this.offset ? fetched : null;
  }

  /** The next records within the bounds; null when none are there. */
  take({ maxRecords = RECORDS_MAX, maxBytes = BYTES_MAX }: PollOptions): LogBatch | null {
    const fetched = this.#fetched;
    if (fetched === null) return null;
    const from = this.#taken;
    const to = endOf(fetched.values, from, maxRecords, maxBytes);
    const isLast = to === fetched.offsets.length;
    const nextOffset = isLast ? fetched.nextOffset : (fetched.offsets[to] as number);
    this.offset = nextOffset;
    this.#taken = to;
    if (isLast) this.#fetched = null;
    const { offsets, timestampsMs, keys, values, timestampType } = fetched;
    return {
      ...this.tp,
      count: to - from,
      offsets: Float64Array.from(offsets.slice(from, to)),
      nextOffset,
      // The log has grown if what was read lies behind the end that came with the fetch.
      highWatermark: Math.max(this.#highWatermark, nextOffset),
      logStartOffset: this.#logStartOffset,
      timestampsMs: Float64Array.from(timestampsMs.slice(from, to)),
      timestampType,
      keys: keys.slice(from, to),
      values: values.slice(from, to),
      headers: (i) => decodeHeaders(fetched, from + i),
    };
  }
}

/** At least one record, and then as many as the bounds allow. */
function endOf(
  values: readonly (Uint8Array | null)[],
  from: number,
  maxRecords: number,
  maxBytes: number,
): number {
  let bytes = 0;
  let to = from;
  for (; to < values.length && to - from < Math.max(1, maxRecords); to++) {
    bytes += values[to]?.length ?? 0;
    if (bytes > maxBytes && to > from) break;
  }
  return to;
}

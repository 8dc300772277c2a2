import { FreshetError } from '../errors.ts';
import type { Log, ProducedRecord } from '../log/index.ts';

export interface AppendQueueBounds {
  /** Records that may wait for the log at a time. */
  readonly recordsMax: number;
  /** Their value bytes. */
  readonly bytesMax: number;
}

/** Records of one append: enough to spread its cost, and still a few MB at most of usual rows. */
const APPEND_RECORDS_MAX = 8_192;

/**
 * Records on their way to the log, in the order they were added. One append is under way at a
 * time, so that order holds in each partition; what is added meanwhile goes together in the next.
 */
export class AppendQueue {
  readonly #log: Log;
  readonly #bounds: AppendQueueBounds;
  readonly #waiting: Batch[] = [];
  #records = 0;
  #bytes = 0;
  #appending = false;
  /** Each `add` takes its turn, so that a late one does not overtake. */
  #turn: Promise<void> = Promise.resolve();
  #wake: (() => void)[] = [];

  constructor(log: Log, bounds: AppendQueueBounds) {
    this.#log = log;
    this.#bounds = bounds;
  }

  /** Records that the log has not confirmed yet. */
  get records(): number {
    return this.#records;
  }

  /** Waits for room, then until the log has the records. @throws FreshetError as `Log.append` */
  async add(records: readonly ProducedRecord[], bytes: number): Promise<void> {
    const entered = this.#turn.then(() => this.#enter(records.length, bytes));
    this.#turn = entered;
    await entered;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ records, bytes, resolve, reject });
      if (!this.#appending) void this.#appendAll();
    });
  }

  /** Resolves when nothing is on its way; failures went to those who added. */
  async drain(): Promise<void> {
    await this.#turn;
    while (this.#records > 0) await this.#change();
  }

  /** A batch larger than the bounds enters alone. */
  async #enter(records: number, bytes: number): Promise<void> {
    while (
      this.#records > 0 &&
      (this.#records + records > this.#bounds.recordsMax ||
        this.#bytes + bytes > this.#bounds.bytesMax)
    ) {
      await this.#change();
    }
    this.#records += records;
    this.#bytes += bytes;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  async #appendAll(): Promise<void> {
    this.#appending = true;
    while (this.#waiting.length > 0) {
      const batches = this.#next();
      try {
        await this.#log.append(batches.flatMap(({ records }) => records));
        for (const batch of batches) batch.resolve();
      } catch (thrown) {
        for (const batch of batches) batch.reject(thrown);
      }
      for (const batch of batches) {
        this.#records -= batch.records.length;
        this.#bytes -= batch.bytes;
      }
      for (const wake of this.#wake.splice(0)) wake();
    }
    this.#appending = false;
  }

  #next(): Batch[] {
    let records = 0;
    let count = 0;
    for (const batch of this.#waiting) {
      records += batch.records.length;
      if (count > 0 && records > APPEND_RECORDS_MAX) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

interface Batch {
  readonly records: readonly ProducedRecord[];
  readonly bytes: number;
  resolve(): void;
  reject(thrown: unknown): void;
}

/** @throws FreshetError INVALID_ARGUMENT */
export function requireBound(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `${name} is ${value}; it must be a whole number above 0`,
  );
}

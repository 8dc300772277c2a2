import type { AppendResult, Log, ProducedRecord } from '../../src/log/index.ts';

/** The appending half of a log; each append waits until the test lets it go, or not at all. */
export class AppendedLog {
  readonly appends: (readonly ProducedRecord[])[] = [];
  failure: Error | null = null;
  #held: (() => void)[] | null = null;

  /** Appends wait from now on. */
  hold(): void {
    this.#held = [];
  }

  /** Lets the append that waits longest go. */
  release(): void {
    this.#held?.shift()?.();
  }

  get records(): readonly ProducedRecord[] {
    return this.appends.flat();
  }

  get log(): Log {
    return this as unknown as Log;
  }

  async append(records: readonly ProducedRecord[]): Promise<AppendResult[]> {
    this.appends.push(records);
    if (this.#held !== null) await new Promise<void>((resolve) => this.#held!.push(resolve));
    if (this.failure !== null) throw this.failure;
    return records.map((record, offset) => ({ topic: record.topic, partition: 0, offset }));
  }
}

/** Lets everything that can go on go on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

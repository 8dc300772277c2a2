/**
 * Stream time of one partition: its greatest event time so far minus `outOfOrderMs`. It only moves
 * forward, and only rows move it, so that a replay of the same rows gives the same stream time.
 */
export class StreamClock {
  #maxEventTimeUs: number;
  readonly #outOfOrderUs: number;

  /** @param maxEventTimeUs greatest event time seen so far, or null before the first row */
  constructor(outOfOrderMs: number, maxEventTimeUs: number | null) {
    this.#outOfOrderUs = outOfOrderMs * 1_000;
    this.#maxEventTimeUs = maxEventTimeUs ?? Number.NEGATIVE_INFINITY;
  }

  /** Greatest event time seen, or null before the first row. */
  get maxEventTimeUs(): number | null {
    return this.#maxEventTimeUs === Number.NEGATIVE_INFINITY ? null : this.#maxEventTimeUs;
  }

  /** Null before the first row. */
  get streamTimeUs(): number | null {
    const max = this.maxEventTimeUs;
    return max === null ? null : max - this.#outOfOrderUs;
  }

  /**
   * Passes rows `[from, to)` in offset order and writes how far each lies behind the stream time
   * it met, in microseconds, 0 when it is not behind.
   */
  observe(eventTimesUs: Float64Array, from: number, to: number, lateByUs: Float64Array): void {
    let max = this.#maxEventTimeUs;
    for (let i = from; i < to; i++) {
      const eventTimeUs = eventTimesUs[i] as number;
      if (eventTimeUs > max) max = eventTimeUs;
      const behindUs = max - this.#outOfOrderUs - eventTimeUs;
      lateByUs[i] = Math.max(behindUs, 0);
    }
    this.#maxEventTimeUs = max;
  }
}

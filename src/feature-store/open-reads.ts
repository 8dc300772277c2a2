import type { Clock } from '../core/clock.ts';

/** Reads of history that are under way: files that they may have in hand are not deleted. */
export class OpenReads {
  readonly #clock: Clock;
  readonly #began = new Set<{ readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Answers with what ends the read. Idempotent. */
  begin(): () => void {
    const read = { atMs: this.#clock.nowMs() };
    this.#began.add(read);
    return () => void this.#began.delete(read);
  }

  /** When the oldest open read began; null when none is open. */
  get oldestMs(): number | null {
    if (this.#began.size === 0) return null;
    return Math.min(...[...this.#began].map(({ atMs }) => atMs));
  }
}

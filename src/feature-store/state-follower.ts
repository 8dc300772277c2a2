import type { Clock } from '../core/clock.ts';
import type { StateStore } from '../state/index.ts';

/** A state to read from, for as long as it is not released. */
export interface StateLease {
  readonly state: StateStore;
  /** Idempotent. */
  release(): void;
}

export interface StateFollowerOptions {
  /** Opens the state read-only, as it is now; where there is none yet, an empty one. */
  readonly open: () => Promise<{ readonly state: StateStore; readonly isThere: boolean }>;
  readonly clock: Clock;
  /** No read sees the state as it was longer ago than this. */
  readonly staleMsMax: number;
}

interface Generation {
  readonly state: StateStore;
  readonly openedAtMs: number;
  leases: number;
  replaced: boolean;
}

/**
 * The state of another process, followed by opening it again. A read that finds it half as old as it
 * may be has the next one opened beside it; one that finds it too old waits for it. What was replaced
 * is closed behind its last read.
 */
export class StateFollower {
  readonly #options: StateFollowerOptions;
  #current: Generation | null = null;
  #opening: Promise<Generation> | null = null;
  #closed = false;

  constructor(options: StateFollowerOptions) {
    this.#options = options;
  }

  /** @throws what `open` throws */
  async lease(): Promise<StateLease> {
    const generation = await this.#fresh();
    generation.leases++;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      generation.leases--;
      this.#closeUnused(generation);
    };
    return { state: generation.state, release };
  }

  /** Closes what is open; reads under way end first. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => {}); // whoever asked for it got its failure
    const last = this.#current;
    this.#current = null;
    await last?.state.close();
  }

  async #fresh(): Promise<Generation> {
    const { clock, staleMsMax } = this.#options;
    const current = this.#current;
    const ageMs = current === null ? Number.POSITIVE_INFINITY : clock.nowMs() - current.openedAtMs;
    if (current === null || ageMs > staleMsMax) return this.#open();
    // A failure is told by the read that cannot do without.
    if (ageMs > staleMsMax / 2) this.#open().catch(() => {});
    return current;
  }

  #open(): Promise<Generation> {
    this.#opening ??= this.#openNext().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #openNext(): Promise<Generation> {
    const openedAtMs = this.#options.clock.nowMs();
    const { state, isThere } = await this.#options.open();
    // What is not there yet is looked for by every read.
    const since = isThere ? openedAtMs : Number.NEGATIVE_INFINITY;
    const next = { state, openedAtMs: since, leases: 0, replaced: false };
    const last = this.#current;
    this.#current = next;
    if (last !== null) {
      last.replaced = true;
      this.#closeUnused(last);
    }
    if (this.#closed) next.replaced = true;
    return next;
  }

  #closeUnused(generation: Generation): void {
    if (!generation.replaced || generation.leases > 0) return;
    generation.state.close().catch(() => {}); // it was only read from
  }
}

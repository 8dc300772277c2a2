import { FreshetError } from '../errors.ts';
import { storeFailure } from './store-failure.ts';

/** Counts the calls under way, so that closing waits for them and refuses later ones. */
export class Gate {
  readonly #name: string;
  readonly #outer: Gate | null;
  #isOpen = true;
  #inside = 0;
  #onEmpty: (() => void) | null = null;

  /** A call through a gate also counts in the gate around it. */
  constructor(name: string, outer: Gate | null = null) {
    this.#name = name;
    this.#outer = outer;
  }

  /** @throws FreshetError STORE_CLOSED */
  check(): void {
    this.#outer?.check();
    if (!this.#isOpen) throw new FreshetError('STORE_CLOSED', `${this.#name} is closed`);
  }

  /** Runs the work, and gives its failure a code. @throws FreshetError */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    this.#enter();
    try {
      return await work();
    } catch (thrown) {
      throw storeFailure(thrown);
    } finally {
      this.#leave();
    }
  }

  /** Resolves when the last call has left. Called once. */
  async shut(): Promise<void> {
    this.#isOpen = false;
    if (this.#inside === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #enter(): void {
    if (this.#outer !== null) this.#outer.#enter();
    this.#inside++;
  }

  #leave(): void {
    if (this.#outer !== null) this.#outer.#leave();
    this.#inside--;
    if (this.#inside === 0) this.#onEmpty?.();
  }
}

/** Lets a poll wait for records without asking again and again, and without missing any. */
export class PollSignal {
  readonly #waiters = new Set<() => void>();
  #version = 0;

  /** Something changed that a waiting poll must look at. */
  notify(): void {
    this.#version++;
    for (const wake of [...this.#waiters]) wake();
  }

  /**
   * Attempts until there is a result, at each `notify` and at last when `waitMs` have passed or the
   * signal is aborted; at least once.
   */
  async poll<T>(attempt: () => Promise<T[]>, waitMs: number, signal?: AbortSignal): Promise<T[]> {
    let isOver = waitMs <= 0 || signal?.aborted === true;
    let wake = (): void => {};
    const end = (): void => {
      isOver = true;
      wake();
    };
    const timer = isOver ? undefined : setTimeout(end, waitMs);
    signal?.addEventListener('abort', end, { once: true });
    try {
      for (;;) {
        const version = this.#version;
        const results = await attempt();
        if (results.length > 0 || isOver) return results;
        if (version !== this.#version) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
          this.#waiters.add(resolve);
        });
        this.#waiters.delete(wake);
      }
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }
}

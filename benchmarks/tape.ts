import type { KvStore } from '../src/kv/index.ts';

/** Keeps what a store answers to a read of one `getMany`, and can answer with that in its place. */
export class Tape {
  #last: Answer = { keys: [], values: [] };
  #replayed: Answer | null = null;

  constructor(kv: KvStore) {
    const getMany = kv.getMany.bind(kv);
    kv.getMany = async (keys) => {
      if (this.#replayed !== null) return this.#replayed.values;
      const values = await getMany(keys);
      this.#last = { keys: [...keys], values };
      return values;
    };
  }

  async record(read: () => Promise<void>): Promise<Answer> {
    await read();
    return this.#last;
  }

  async replay(answer: Answer, read: () => Promise<void>): Promise<void> {
    this.#replayed = answer;
    await read();
    this.#replayed = null;
  }
}

export interface Answer {
  readonly keys: Uint8Array[];
  readonly values: (Uint8Array | undefined)[];
}

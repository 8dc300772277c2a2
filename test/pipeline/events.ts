import { type Channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { channels } from '../../src/telemetry/index.ts';

type EventOf<N extends keyof typeof channels> =
  (typeof channels)[N] extends Channel<unknown, infer E> ? E : never;

/** The events of a channel from now on; dispose of it. */
export function events<N extends keyof typeof channels>(name: N): Events<EventOf<N>> {
  return new Events(`freshet:${name}`);
}

/** Listens to one of the engine's channels, so that tests wait for what happens, not for a time. */
class Events<T> implements Disposable {
  readonly all: T[] = [];
  readonly #channel: string;
  readonly #waiting = new Set<() => void>();
  readonly #listen = (event: unknown): void => {
    this.all.push(event as T);
    for (const check of [...this.#waiting]) check();
  };

  constructor(channel: string) {
    this.#channel = channel;
    subscribe(channel, this.#listen);
  }

  /** Resolves with the first event, past or to come, that is as wanted. */
  first(isWanted: (event: T) => boolean): Promise<T> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = this.all.find(isWanted);
        if (found === undefined) return;
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }

  [Symbol.dispose](): void {
    unsubscribe(this.#channel, this.#listen);
  }
}

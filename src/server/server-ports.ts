import type { ServerConfig } from '../config/index.ts';
import type { Clock } from '../core/clock.ts';
import { FreshetError } from '../errors.ts';
import type { FeatureStore } from '../feature-store/index.ts';

/** What the endpoints work with. */
export interface ServerPorts {
  readonly store: FeatureStore;
  readonly config: ServerConfig;
  readonly clock: Clock;
  /** Runs loads and verifications one after another: each takes what the machine has. */
  oneAtATime<T>(task: () => Promise<T>): Promise<T>;
}

/** A queue of one. What fails does not stop what waits. */
export function createQueue(): ServerPorts['oneAtATime'] {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task, task);
    last = run.catch(() => undefined);
    return run;
  };
}

/** @throws FreshetError REQUEST_TOO_LARGE */
export function requireBatch(rows: number, { batchRowsMax }: ServerConfig): void {
  if (rows <= batchRowsMax) return;
  throw new FreshetError(
    'REQUEST_TOO_LARGE',
    `${rows} rows came, and the server takes ${batchRowsMax} at once`,
  );
}

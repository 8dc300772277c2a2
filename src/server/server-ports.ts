import type { ServerConfig } from '../config/index.ts';
import type { Clock } from '../core/clock.ts';
import type { UntypedFeatureVector } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { FeatureStore } from '../feature-store/index.ts';
import type { OnlineFeatures, UntypedOnlineRequest } from '../serving/index.ts';
import type { Access } from './access.ts';
import type { Metrics } from './metrics.ts';

/** What the endpoints work with. */
export interface ServerPorts {
  readonly store: FeatureStore;
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly access: Access;
  /** An online read, timed. @throws FreshetError as `OnlineServing.getOnlineFeatures` says */
  read(request: UntypedOnlineRequest): Promise<OnlineFeatures<UntypedFeatureVector>>;
  /** Runs loads and verifications one after another: each takes what the machine has. */
  oneAtATime<T>(task: () => Promise<T>): Promise<T>;
}

export function timedRead(store: FeatureStore, metrics: Metrics): ServerPorts['read'] {
  return (request) =>
    metrics.timeRead(request.entityRows.length, () => store.getOnlineFeatures(request));
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

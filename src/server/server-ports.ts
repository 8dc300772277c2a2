import type { ServerConfig } from '../config/index.ts';
import type { Clock } from '../core/clock.ts';
import type { Queue } from '../core/queue.ts';
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
  readonly oneAtATime: Queue;
}

export function timedRead(store: FeatureStore, metrics: Metrics): ServerPorts['read'] {
  return (request) =>
    metrics.timeRead(request.entityRows.length, () => store.getOnlineFeatures(request));
}

/** @throws FreshetError REQUEST_TOO_LARGE */
export function requireBatch(rows: number, { batchRowsMax }: ServerConfig): void {
  if (rows <= batchRowsMax) return;
  throw new FreshetError(
    'REQUEST_TOO_LARGE',
    `${rows} rows came, and the server takes ${batchRowsMax} at once`,
  );
}

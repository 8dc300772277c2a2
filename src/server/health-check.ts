import type { Clock } from '../core/clock.ts';
import { FreshetError } from '../errors.ts';
import type { SourceStatus } from '../feature-store/index.ts';
import type { Materializer } from '../pipeline/index.ts';

export interface Health {
  readonly status: 'healthy' | 'unhealthy';
  /** Why not; empty when healthy. */
  readonly reasons: readonly string[];
}

/** The engine of this process, as far as its health goes. */
export type WatchedEngine = Pick<Materializer, 'finished'>;

/** Milliseconds that a cursor may stand still while its lag grows. */
const STILL_MS_MAX = 30_000;

/** What was seen of a partition when its cursor last moved. */
interface Mark {
  readonly applied: number;
  readonly lagRecords: number;
  readonly sinceMs: number;
}

/**
 * Whether the engine keeps up: unhealthy when it has failed, or when the cursor of a partition
 * stands still for half a minute while its lag grows. It compares what it is shown, so it must be
 * shown often. Without an engine in this process there is nothing to keep up.
 */
export class HealthCheck {
  readonly #clock: Clock;
  readonly #engine: WatchedEngine | null;
  readonly #marks = new Map<string, Mark>();
  #failure: string | null = null;

  constructor(clock: Clock, engine: WatchedEngine | null) {
    this.#clock = clock;
    this.#engine = engine;
    engine?.finished.catch((thrown: unknown) => {
      this.#failure = thrown instanceof FreshetError ? thrown.code : 'INTERNAL';
    });
  }

  /** Of this process; `stopped` when it has failed. */
  get engine(): 'none' | 'running' | 'stopped' {
    if (this.#engine === null) return 'none';
    return this.#failure === null ? 'running' : 'stopped';
  }

  check(sources: readonly SourceStatus[]): Health {
    const reasons = this.#engine === null ? [] : this.#still(sources);
    if (this.#failure !== null) reasons.unshift(`the engine stopped: ${this.#failure}`);
    return { status: reasons.length === 0 ? 'healthy' : 'unhealthy', reasons };
  }

  #still(sources: readonly SourceStatus[]): string[] {
    const nowMs = this.#clock.nowMs();
    const reasons: string[] = [];
    for (const { topic, partition, applied, lagRecords } of sources.flatMap((s) => s.partitions)) {
      const name = `${topic}[${partition}]`;
      const mark = this.#marks.get(name);
      if (mark === undefined || mark.applied !== applied || lagRecords === 0) {
        this.#marks.set(name, { applied, lagRecords, sinceMs: nowMs });
        continue;
      }
      const stillMs = nowMs - mark.sinceMs;
      if (stillMs < STILL_MS_MAX || lagRecords <= mark.lagRecords) continue;
      reasons.push(
        `${name} stands at ${applied} for ${Math.round(stillMs / 1_000)} s; its lag grew to ${lagRecords} records`,
      );
    }
    return reasons;
  }
}

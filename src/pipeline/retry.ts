/** What is tried again, when, and how that is told. */
import { RETRY_MS_MAX, RETRY_MS_MIN } from '../core/limits.ts';
import { FreshetError } from '../errors.ts';
import type { TopicPartition } from '../log/index.ts';
import { channels } from '../telemetry/index.ts';

export function canRetry(thrown: unknown): thrown is FreshetError {
  return thrown instanceof FreshetError && thrown.retriable;
}

/** Doubled by each failure in a row, milliseconds. */
export function retryWaitMs(failures: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures - 1, 16));
}

export function tellRetry(error: FreshetError, tp: TopicPartition | null, waitMs: number): void {
  const where = { topic: tp?.topic ?? null, partition: tp?.partition ?? null };
  channels.retry.publish({ ...where, code: error.code, reason: error.message, waitMs });
}

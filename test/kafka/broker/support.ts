import { describe, inject } from 'vitest';
import { type KafkaLogOptions, openKafkaLog } from '../../../connectors/kafka/index.ts';
import type { Log } from '../../../src/log/index.ts';

const kafka = inject('kafka');

/** Where the broker of this run is. */
export const brokers: readonly string[] = kafka.address?.split(',') ?? [];

/** Names of this run begin with it: a broker that the environment names may be anybody's. */
export const prefix = `freshet-${process.pid}-${Math.trunc(process.hrtime()[1] / 1_000)}-`;

/** Runs where there is a broker, and is counted as skipped, with the reason, where there is none. */
export function describeKafka(name: string, define: () => void): void {
  if (kafka.address === null) describe.skip(`${name} (no Kafka: ${kafka.reason})`, define);
  else describe(name, define);
}

/** A log that is quick to notice changes of its groups. */
export function openLog(more: Partial<KafkaLogOptions> = {}): Promise<Log> {
  return openKafkaLog({ brokers, heartbeatMs: 200, ...more });
}

/** @throws Error after a minute */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let check = 0; check < 3_000; check++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('what was waited for did not happen within a minute');
}

/** Mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

import { KvBatch } from '../kv/index.ts';
import { prefixRange, SPACE, type StateStore, stateKey, statePartitions } from '../state/index.ts';
import { decodeOutboxRecord, type OutboxRecord } from './outbox.ts';

/**
 * Forgets records that a stopped engine has not appended to their topics yet: it would do so when it
 * runs again. Answers with their number by topic; durable once resolved. No engine may be running.
 * With `dryRun` they are only counted. @throws FreshetError STORE_CORRUPT
 */
export async function eraseFromOutbox(
  state: StateStore,
  isWanted: (record: OutboxRecord) => boolean | Promise<boolean>,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const batch = new KvBatch();
  for (const { sourceId, partition } of await statePartitions(state.kv)) {
    const range = prefixRange(stateKey(sourceId, partition, SPACE.outbox));
    for await (const page of state.kv.scan(range)) {
      for (const [key, value] of page) {
        const record = decodeOutboxRecord(value);
        if (!(await isWanted(record))) continue;
        counts.set(record.topic, 1 + (counts.get(record.topic) ?? 0));
        batch.delete(Uint8Array.from(key));
      }
    }
  }
  if (!dryRun) await state.kv.write(batch, { sync: true });
  return counts;
}

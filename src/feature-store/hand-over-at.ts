import { encodePositions, readPositions, startPositions } from '../checkpoint/index.ts';
import type { TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch } from '../kv/index.ts';
import { firstOffset } from '../pipeline/index.ts';
import { SPACE, stateKey } from '../state/index.ts';
import type { Resources } from './resources.ts';

/**
 * Lets the engine begin to read a topic at an offset of each partition: what is below is in files. It
 * is decided once, before the engine reads the partition; the same again changes nothing. All
 * partitions or none, durable once resolved, in the registry too, where it outlives the online store;
 * with `dryRun` it is only checked.
 * @throws FreshetError INVALID_ARGUMENT for another number of partitions, an offset behind the end of
 * the log, or a partition that was read from another offset; LOG_UNAVAILABLE
 */
export async function handOverAt(
  resources: Resources,
  source: TopicSource,
  offsets: readonly number[],
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<void> {
  const { topic } = source;
  const log = await resources.log();
  const { partitions } = await log.describeTopic(topic);
  if (offsets.length !== partitions) {
    refuse(topic, `${partitions} partitions, and offsets of ${offsets.length} are given`);
  }
  const [state, manifest] = [await resources.state(), await resources.manifest()];
  const id = await state.dictionary.ensureSource(source.name);
  const marks = await log.watermarks(offsets.map((_, partition) => ({ topic, partition })));
  const batch = new KvBatch();
  for (const { partition, end } of marks) {
    const offset = offsets[partition] as number;
    if (offset > end)
      refuse(topic, `no offset ${offset} in partition ${partition} yet: it ends at ${end}`);
    const positions = await readPositions(state, id, partition);
    if (positions === null) {
      batch.put(stateKey(id, partition, SPACE.cursor), encodePositions(startPositions(offset)));
      continue;
    }
    const stores = { kv: state.kv, manifest };
    const begin = await firstOffset(stores, { name: source.name, id }, partition, positions);
    if (begin === offset) continue;
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `partition ${partition} of topic "${topic}" was read from offset ${begin} on, not from ${offset}`,
      {
        where: { topic, partition, offset: begin },
        next: `Hand over at ${begin}, or at a time with --until; an offset is for a topic that no engine has read.`,
      },
    );
  }
  if (dryRun) return;
  await resources.registry.update((registry) => {
    const { handovers } = registry;
    if (handovers[topic]?.join() === offsets.join()) return registry;
    return { ...registry, handovers: { ...handovers, [topic]: offsets } };
  });
  await state.kv.write(batch, { sync: true });
}

function refuse(topic: string, what: string): never {
  throw new FreshetError('INVALID_ARGUMENT', `topic "${topic}" has ${what}`, { where: { topic } });
}

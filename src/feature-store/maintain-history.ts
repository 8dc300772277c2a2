import { setTimeout as sleep } from 'node:timers/promises';
import type { Catalog } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { channels } from '../telemetry/index.ts';
import { History, historySources } from './history.ts';
import type { Resources } from './resources.ts';

/**
 * Compacts, drops and deletes beside the stream, again and again until the engine stops. A failure is
 * told and tried again the next time: the stream needs none of it.
 */
export async function maintainHistory(
  resources: Resources,
  catalog: Catalog,
  signal: AbortSignal,
): Promise<void> {
  const { auto, everyMs } = resources.config.offlineStore.compaction;
  const history = new History(resources, catalog);
  for (;;) {
    await sleep(everyMs, undefined, { signal }).catch(() => {}); // stopping
    if (signal.aborted) return;
    for (const source of historySources(catalog)) {
      try {
        await history.retain({ sources: [source.name] });
        const isCompacted = auto && source.kind === 'topicSource';
        if (isCompacted) await history.compact({ sources: [source], signal });
      } catch (thrown) {
        if (!(thrown instanceof FreshetError)) throw thrown;
        const { code, message: reason } = thrown;
        channels.maintenanceFailed.publish({ source: source.name, code, reason });
      }
    }
    await history.reclaim();
  }
}

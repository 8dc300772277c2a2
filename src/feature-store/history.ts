import { reclaimSegments } from '../checkpoint/index.ts';
import { didYouMean } from '../core/nearest.ts';
import type { Catalog, ParquetSource, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { type CompactionResult, type CompactOptions, compactHistory } from './compact-history.ts';
import { sourcesByTopic } from './open-task.ts';
import type { Resources } from './resources.ts';
import { type RetentionResult, retainHistory } from './retain-history.ts';

export interface HistoryOptions {
  /** Default: all topic sources that some view reads. */
  readonly sources?: readonly TopicSource[];
}

export interface RetainOptions {
  /** Names of sources, of topics and of Parquet files. Default: all that some view reads. */
  readonly sources?: readonly string[];
  /** Only counts. Default false. */
  readonly dryRun?: boolean;
}

/** What is done to history as a whole: compaction, retention, and deleting replaced files. */
export class History {
  readonly #resources: Resources;
  readonly #catalog: Catalog;

  constructor(resources: Resources, catalog: Catalog) {
    this.#resources = resources;
    this.#catalog = catalog;
  }

  /**
   * Makes small segments into few large ones, sorted by entity and event time and split by days.
   * @throws FreshetError STORE_LOCKED while another process has the store, and as `compactHistory`
   */
  async compact(options: HistoryOptions & CompactOptions = {}): Promise<CompactionResult[]> {
    const results: CompactionResult[] = [];
    for (const source of this.#sources(options)) {
      results.push(
        await this.#resources.alone(() => compactHistory(this.#resources, source, options)),
      );
    }
    return results;
  }

  /**
   * Drops what no view needs any more, by `offlineStore.retention`.
   * @throws FreshetError SOURCE_NOT_FOUND, and as `retainHistory`
   */
  async retain(options: RetainOptions = {}): Promise<RetentionResult[]> {
    const results: RetentionResult[] = [];
    const all = historySources(this.#catalog);
    const sources = options.sources?.map((name) => requireSource(all, name)) ?? all;
    for (const source of sources) {
      results.push(
        await this.#resources.alone(() =>
          retainHistory(this.#resources, this.#catalog, source, options),
        ),
      );
    }
    return results;
  }

  /** Deletes files that were replaced before the grace and that no open join reads; their names. */
  async reclaim(): Promise<string[]> {
    const { clock, config, reads } = this.#resources;
    const graceEndMs = clock.nowMs() - config.offlineStore.compaction.graceMs;
    const beforeMs = Math.min(graceEndMs, reads.oldestMs ?? graceEndMs);
    return this.#resources.alone(async () =>
      reclaimSegments(await this.#resources.manifest(), await this.#resources.segments(), beforeMs),
    );
  }

  #sources({ sources }: HistoryOptions): readonly TopicSource[] {
    return sources ?? [...sourcesByTopic(this.#catalog).values()];
  }
}

function requireSource<S extends { readonly name: string }>(all: readonly S[], name: string): S {
  const source = all.find((each) => each.name === name);
  if (source !== undefined) return source;
  const hint = didYouMean(
    name,
    all.map((each) => each.name),
  );
  throw new FreshetError('SOURCE_NOT_FOUND', `no view reads a source "${name}". ${hint}`, {
    where: { source: name },
  });
}

/** All that some enabled view reads. */
export function historySources(catalog: Catalog): readonly (TopicSource | ParquetSource)[] {
  const views = [...catalog.views.values()].filter(({ enabled }) => enabled);
  const batch = new Set(views.flatMap(({ batchSource }) => batchSource ?? []));
  return [...sourcesByTopic(catalog).values(), ...batch];
}

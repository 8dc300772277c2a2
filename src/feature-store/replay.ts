import { join } from 'node:path';
import { encodePositions, readPositions, startPositions } from '../checkpoint/index.ts';
import type { Catalog, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch } from '../kv/index.ts';
import { storeChecksum, type ViewChecksum } from '../online/index.ts';
import { type PartitionReplay, planReplay, type ReplayFrom, rewind } from '../pipeline/index.ts';
import { SPACE, type StateStore, stateKey } from '../state/index.ts';
import { sourcesByTopic } from './open-task.ts';
import { replayViews } from './replay-views.ts';
import { requireTopicSource } from './require.ts';
import { Resources } from './resources.ts';
import { startEngine } from './start-engine.ts';

export interface ReplayOptions {
  readonly from: ReplayFrom;
  /** Topic sources by name. Default: all that a view reads. */
  readonly sources?: readonly string[];
  /** Only these views, from history and the log; `from` must be `earliest`. Default: all of the sources. */
  readonly views?: readonly string[];
  /** Only say what would be read. Default false. */
  readonly dryRun?: boolean;
  /**
   * Replay into stores of their own in this folder and leave the live ones alone: everything from
   * the start of the log, to be compared. `from` must be `earliest`. Views with batch history are
   * left out of the comparison.
   */
  readonly into?: string;
  /**
   * Rebuild from the earliest although the log has no longer all that the online store has; what is
   * lost is recorded as a gap. Only of whole topics, in place. Default false: OFFSET_GAP.
   */
  readonly skipGap?: boolean;
  readonly onProgress?: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  readonly recordsDone: number;
  readonly recordsTotal: number;
}

export interface ReplayResult {
  readonly plan: readonly PartitionReplay[];
  /** By view name, before and after; null for a dry run. */
  readonly before: Readonly<Record<string, ViewChecksum>> | null;
  readonly after: Readonly<Record<string, ViewChecksum>> | null;
  /**
   * Whether every view has the same rows, bit for bit, as before; null for a dry run, and when the
   * log has records that were not applied before.
   */
  readonly same: boolean | null;
}

/**
 * Reads topics again into the online store. The engine must not be running elsewhere.
 * @throws FreshetError INVALID_ARGUMENT, OFFSET_GAP when the log no longer has the
 * start, or what a rebuilt store must have; SOURCE_NOT_FOUND, and as
 * `startEngine` says
 */
export async function replay(
  resources: Resources,
  catalog: Catalog,
  options: ReplayOptions,
): Promise<ReplayResult> {
  requirePossible(options);
  if (options.views !== undefined) return replayViews(resources, catalog, options);
  const plan = await planAll(resources, catalog, options);
  if (options.dryRun === true) return { plan: plan.flat(), before: null, after: null, same: null };
  const live = await resources.state();
  const before = await storeChecksum(live);
  if (options.into !== undefined) {
    const beside = besideResources(resources, options.into);
    try {
      await beginSilently(await beside.state(), catalog, plan.flat());
      await runUntilDone(beside, catalog, plan.flat(), options);
      const views = streamViews(catalog);
      const after = await storeChecksum(await beside.state());
      return await compare(resources, plan.flat(), pick(before, views), pick(after, views));
    } finally {
      await beside.close();
    }
  }
  for (const partitions of plan) {
    const [first] = partitions;
    const source = first && sourcesByTopic(catalog).get(first.topic);
    const sourceId = source && live.dictionary.sourceId(source.name);
    if (sourceId !== undefined) {
      await rewind(live, sourceId, partitions, resources.clock.nowMs());
    }
  }
  await runUntilDone(resources, catalog, plan.flat(), options);
  return compare(resources, plan.flat(), before, await storeChecksum(live));
}

function requirePossible({ from, views, into, skipGap = false }: ReplayOptions): void {
  const refuse = (what: string): never => {
    throw new FreshetError('INVALID_ARGUMENT', what);
  };
  const isWhole = from === 'earliest';
  if (into !== undefined && !isWhole) refuse('a replay into another folder is from `earliest`');
  if (views !== undefined && (!isWhole || into !== undefined)) {
    refuse('single views are replayed from `earliest`, and in place');
  }
  if (skipGap && (!isWhole || into !== undefined || views !== undefined)) {
    refuse('only a replay of whole topics from `earliest`, in place, can skip a gap');
  }
}

/** Dead letters are for the live engine to send: partitions begin with all of theirs reported. */
async function beginSilently(
  state: StateStore,
  catalog: Catalog,
  plan: readonly PartitionReplay[],
): Promise<void> {
  const sources = sourcesByTopic(catalog);
  const batch = new KvBatch();
  for (const { topic, partition, fromOffset } of plan) {
    const { name } = sources.get(topic) as TopicSource;
    const sourceId = await state.dictionary.ensureSource(name);
    if ((await readPositions(state, sourceId, partition)) !== null) continue;
    const positions = { ...startPositions(fromOffset), reported: Number.MAX_SAFE_INTEGER };
    batch.put(stateKey(sourceId, partition, SPACE.cursor), encodePositions(positions));
  }
  await state.kv.write(batch, { sync: true });
}

/** The plans of the sources, one list a source. */
async function planAll(
  resources: Resources,
  catalog: Catalog,
  { from, sources, into, skipGap = false }: ReplayOptions,
): Promise<PartitionReplay[][]> {
  const log = await resources.log();
  const state = await resources.state();
  const stores = { state, manifest: await resources.manifest() };
  const chosen = sources?.map((name) => requireTopicSource(catalog, name)) ?? [
    ...sourcesByTopic(catalog).values(),
  ];
  return Promise.all(
    chosen.map(async ({ name, topic }) => {
      const { partitions } = await log.describeTopic(topic);
      const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
      const source = { name, id: await state.dictionary.ensureSource(name) };
      // Beside the live stores nothing can be lost: what the log lacks is what the comparison is for.
      return planReplay(log, stores, source, tps, from, skipGap || into !== undefined);
    }),
  );
}

async function runUntilDone(
  resources: Resources,
  catalog: Catalog,
  plan: readonly PartitionReplay[],
  { onProgress, skipGap = false }: ReplayOptions,
): Promise<void> {
  const recordsTotal = plan.reduce((sum, { records }) => sum + records, 0);
  const engine = await startEngine(resources, catalog, { skipGap });
  const report = (): void => {
    const status = engine.status();
    const recordsDone = plan.reduce((sum, { topic, partition, fromOffset, records }) => {
      const found = status.find((p) => p.topic === topic && p.partition === partition);
      return sum + Math.min(records, Math.max(0, (found?.applied ?? fromOffset) - fromOffset));
    }, 0);
    onProgress?.({ recordsDone, recordsTotal });
  };
  const timer = setInterval(report, 200);
  try {
    await engine.caughtUp();
    report();
  } finally {
    clearInterval(timer);
    await engine.stop();
  }
}

/** The same log and definitions, and stores of their own. */
function besideResources(resources: Resources, folder: string): Resources {
  const { config, clock } = resources;
  const onlineStore = { ...config.onlineStore, path: join(folder, 'online') };
  const offlineStore = { ...config.offlineStore, path: join(folder, 'offline') };
  const engine = { ...config.engine, group: `${config.engine.group}-replay` };
  return new Resources({ ...config, onlineStore, offlineStore, engine }, clock, resources);
}

/** Views that the log alone makes: those with batch history have rows that no replay reads. */
function streamViews(catalog: Catalog): string[] {
  const views = [...catalog.views.values()];
  return views.filter(({ batchSource }) => batchSource === null).map(({ name }) => name);
}

function pick<T>(values: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
}

async function compare(
  resources: Resources,
  plan: readonly PartitionReplay[],
  before: Readonly<Record<string, ViewChecksum>>,
  after: Readonly<Record<string, ViewChecksum>>,
): Promise<ReplayResult> {
  const views = Object.keys({ ...before, ...after });
  const same = views.every((view) => before[view]?.sha256 === after[view]?.sha256);
  const ends = await (await resources.log()).watermarks(plan);
  const grown = ends.some(({ end }, i) => end > (plan[i] as PartitionReplay).untilOffset);
  return { plan, before, after, same: grown ? null : same };
}

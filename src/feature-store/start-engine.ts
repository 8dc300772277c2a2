import { rebuildStore, recoverSegments } from '../checkpoint/index.ts';
import { subjectOf } from '../codec/index.ts';
import type { Catalog, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { Materializer } from '../pipeline/index.ts';
import { planApply, whileMaterializing } from '../registry/index.ts';
import { type BuildProgress, buildViews, viewsToBuild } from './build-views.ts';
import { maintainHistory } from './maintain-history.ts';
import { openTask, sourcesByTopic } from './open-task.ts';
import type { Resources } from './resources.ts';

export interface EngineOptions {
  /**
   * Go on behind records that retention removed before they were read; the gap is recorded.
   * Default false: OFFSET_GAP.
   */
  readonly skipGap?: boolean;
  /**
   * Build a lost online store anew from the segments, and from the log behind them. Default false:
   * STORE_LOST, since a folder that is only not mounted must not be replaced.
   */
  readonly rebuildStore?: boolean;
  /** Told while state of new and changed views is built from history, beside the stream. */
  readonly onBuild?: (progress: BuildProgress) => void;
}

/**
 * Starts reading the topics of all enabled views into the online store and the segments.
 * @throws FreshetError DEFINITIONS_NOT_APPLIED, STORE_LOCKED, STORE_LOST, LOG_LOCKED, LOG_UNAVAILABLE,
 * SCHEMA_REGISTRY_UNAVAILABLE
 */
export async function startEngine(
  resources: Resources,
  catalog: Catalog,
  options: EngineOptions = {},
): Promise<Materializer> {
  await requireApplied(resources, catalog);
  const sources = sourcesByTopic(catalog);
  if (sources.size === 0) {
    throw new FreshetError('INVALID_ARGUMENT', 'no enabled view reads a topic', {
      next: 'Define a view over a topicSource, or load batch history with `freshet materialize`.',
    });
  }
  // The log first: of two engines on one folder the second is to say so before it touches state.
  const log = await resources.log();
  await requireSchemaRegistry(resources, sources.values());
  await recover(resources, options.rebuildStore ?? false);
  const views = await viewsToBuild(await resources.state(), catalog);
  const building = new Set(views.map(({ view }) => view));
  const { engine: settings } = resources.config;
  const start = (): Promise<Materializer> =>
    Materializer.start({
      log,
      topics: [...sources.keys()],
      group: settings.group,
      openTask: (tp) => openTask(resources, catalog, tp, building),
      idleMs: new Map([...sources.values()].map(({ topic, idleMs }) => [topic, idleMs])),
      clock: resources.clock,
      skipGap: options.skipGap ?? false,
      batchRecordsMax: settings.batchRecordsMax,
      batchBytesMax: settings.batchBytesMax,
      alwaysBeside: (_, signal) => maintainHistory(resources, catalog, signal),
      beside: (engine, signal) =>
        buildViews({
          resources,
          catalog,
          engine,
          views,
          signal,
          onProgress: options.onBuild ?? (() => {}),
          onBuilt: (view) => building.delete(view),
        }),
    });
  if (!resources.isLive) return start();
  return whileMaterializing(resources.registry, servedViews(catalog), start);
}

/**
 * A registry that is away stops no engine that knows the schemas of its rows; one that starts knows
 * none, and would only wait.
 */
async function requireSchemaRegistry(
  resources: Resources,
  sources: Iterable<TopicSource>,
): Promise<void> {
  for (const { format, topic } of sources) {
    if (format === 'avro') await (await resources.schemas()).latest(subjectOf(topic));
  }
}

/** Deletes what a crash left among the segments; a lost store is made again first where that is asked for. */
async function recover(resources: Resources, rebuild: boolean): Promise<void> {
  const [state, segments] = [await resources.state(), await resources.segments()];
  const manifest = await resources.manifest();
  try {
    await resources.alone(() => recoverSegments(state, manifest, segments));
  } catch (thrown) {
    const isLost = thrown instanceof FreshetError && thrown.code === 'STORE_LOST';
    if (!isLost || !rebuild) throw thrown;
    const { deadLetterTopic } = resources.config.engine;
    await rebuildStore(manifest, segments, await resources.log(), deadLetterTopic);
    await recoverSegments(state, manifest, segments);
  }
}

/** The views whose newest rows the engine serves. */
function servedViews(catalog: Catalog): string[] {
  return [...catalog.views.values()]
    .filter(({ streamSource, enabled, online }) => streamSource !== null && enabled && online)
    .map(({ name }) => name);
}

async function requireApplied(resources: Resources, catalog: Catalog): Promise<void> {
  const changes = await planApply(resources.registry, catalog);
  const open = changes.filter(({ transition }) => transition !== 'UNCHANGED');
  if (open.length === 0) return;
  const names = open.map(({ transition, kind, name }) => `${transition} ${kind} "${name}"`);
  throw new FreshetError(
    'DEFINITIONS_NOT_APPLIED',
    `the definitions differ from what is applied: ${names.join(', ')}`,
  );
}

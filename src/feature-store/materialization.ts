import { type BackfillProgress, type BackfillResult, materializeView } from '../backfill/index.ts';
import { type TimestampInput, toTimestampUs, US_PER_MS } from '../core/time.ts';
import type { Catalog, FeatureView, ParquetSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { whileMaterializing } from '../registry/index.ts';
import type { StateStore } from '../state/index.ts';
import { backfillFolders } from './backfill-folders.ts';
import { viewsToBuild } from './build-views.ts';
import { requireView } from './require.ts';
import type { Resources } from './resources.ts';

export interface MaterializeOptions {
  /** Views by name. Default: all that are online, enabled and have batch history. */
  readonly views?: readonly string[];
  readonly onProgress?: (progress: BackfillProgress) => void;
}

/** A range of event time, both ends included. */
export interface MaterializeRange extends MaterializeOptions {
  readonly startTime: TimestampInput;
  readonly endTime: TimestampInput;
}

export interface MaterializeUntil extends MaterializeOptions {
  /** Default: now. */
  readonly endTime?: TimestampInput;
}

/** How far a first incremental run goes back for a view without a TTL, as Feast's. */
const FIRST_RUN_US = 52 * 7 * 24 * 3_600_000_000;

/** @throws FreshetError FEATURE_VIEW_DISABLED, NOT_MATERIALIZABLE, INVALID_ARGUMENT, and as `materializeView` */
export async function materialize(
  resources: Resources,
  catalog: Catalog,
  options: MaterializeRange,
): Promise<BackfillResult[]> {
  const startUs = toTimestampUs(options.startTime);
  const endUs = toTimestampUs(options.endTime);
  if (startUs > endUs) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `the given start_date ${String(options.startTime)} is greater than the given end_date ${String(options.endTime)}`,
      { next: 'Give a start before the end.' },
    );
  }
  return each(resources, catalog, options, () => ({
    requested: { startUs, endUs },
    mode: 'range',
  }));
}

/**
 * From where the last run ended, and the late rows of files that changed since. The first run starts
 * a TTL before now.
 */
export async function materializeIncremental(
  resources: Resources,
  catalog: Catalog,
  options: MaterializeUntil,
): Promise<BackfillResult[]> {
  const nowUs = resources.clock.nowMs() * US_PER_MS;
  const endUs = options.endTime === undefined ? nowUs : toTimestampUs(options.endTime);
  return each(resources, catalog, options, (view) => {
    const startUs = Math.min(nowUs - (view.ttlUs ?? FIRST_RUN_US), endUs);
    return { requested: { startUs, endUs }, mode: 'incremental' };
  });
}

type Work = Pick<Parameters<typeof materializeView>[0], 'requested' | 'mode'>;

async function each(
  resources: Resources,
  catalog: Catalog,
  options: MaterializeOptions,
  workOf: (view: FeatureView) => Work,
): Promise<BackfillResult[]> {
  const chosen = chooseViews(catalog, options.views);
  const state = await resources.state();
  const duckdb = await resources.duckdb();
  await requireBuilt(
    state,
    catalog,
    chosen.map(({ view }) => view),
  );
  const results: BackfillResult[] = [];
  for (const { view, source } of chosen) {
    const baseDirectory = resources.config.repoDir;
    const { onProgress } = options;
    const { onlineFolder } = backfillFolders(source, resources.config);
    const run = (): Promise<BackfillResult> =>
      materializeView({
        ...{ state, duckdb, view, source, baseDirectory, onlineFolder },
        ...workOf(view),
        ...(onProgress && { onProgress }),
      });
    results.push(await whileMaterializing(resources.registry, [view.name], run));
  }
  return results;
}

/**
 * A view that is new on a topic has no state of its rows until the engine has built it. Were batch
 * history there first, the engine would take it for built. @throws FreshetError VIEW_STATE_OUTDATED
 */
async function requireBuilt(
  state: StateStore,
  catalog: Catalog,
  views: readonly FeatureView[],
): Promise<void> {
  for (const { view } of await viewsToBuild(state, catalog)) {
    if (!views.includes(view)) continue;
    throw new FreshetError(
      'VIEW_STATE_OUTDATED',
      `the rows of the topic of view "${view.name}" are not in its state yet`,
      {
        where: { view: view.name },
        next: 'Run the engine, which builds the view; then load its batch history.',
      },
    );
  }
}

function chooseViews(
  catalog: Catalog,
  names: readonly string[] | undefined,
): { view: FeatureView; source: ParquetSource }[] {
  const views =
    names?.flatMap((name) => viewsOf(catalog, name)) ??
    [...catalog.views.values()].filter(
      ({ online, enabled, batchSource }) => online && enabled && batchSource !== null,
    );
  return views.map((view) => ({ view, source: requireMaterializable(view) }));
}

/** The view of the name; of an on-demand view those that it computes from. */
function viewsOf(catalog: Catalog, name: string): FeatureView[] {
  const onDemand = catalog.onDemandViews.get(name);
  return onDemand?.projections.map(({ view }) => view) ?? [requireView(catalog, name)];
}

function requireMaterializable(view: FeatureView): ParquetSource {
  const where = { view: view.name };
  if (!view.enabled) {
    throw new FreshetError('FEATURE_VIEW_DISABLED', `feature view "${view.name}" is disabled`, {
      where,
    });
  }
  if (!view.online) {
    throw new FreshetError(
      'NOT_MATERIALIZABLE',
      `feature view "${view.name}" is not configured to be served online`,
      { where },
    );
  }
  if (view.batchSource !== null) return view.batchSource;
  throw new FreshetError('INVALID_ARGUMENT', `feature view "${view.name}" has no batch history`, {
    where,
    next: 'Its rows come from the log: `freshet run` keeps it up to date.',
  });
}

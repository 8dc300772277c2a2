/**
 * State for views that have none from their definition: a new view of a source that has history, or
 * one that got another aggregation, window or feature. It is built from history beside the running
 * stream; once it has all but caught up, the engine holds between two batches, the build takes what
 * is left, and the state takes the view's name in one write. Until then reads of the old definition
 * go on, and a stop in between begins it anew.
 */
import { readPositions } from '../checkpoint/index.ts';
import {
  type Catalog,
  type FeatureView,
  stateFingerprint,
  type TopicSource,
} from '../definition/index.ts';
import type { Materializer } from '../pipeline/index.ts';
import type { StateStore } from '../state/index.ts';
import { sourcesByTopic } from './open-task.ts';
import type { Resources } from './resources.ts';
import { ViewBuild } from './view-build.ts';

export interface BuildProgress {
  readonly view: string;
  readonly rowsDone: number;
  /** Grows with the stream. */
  readonly rowsTotal: number;
  /** Whether the view is served from the new state. */
  readonly isDone: boolean;
}

/** So few records are left to the hold of the stream: some tens of milliseconds. */
const HELD_RECORDS_MAX = 8_192;
/** A stream that comes faster than it can be followed is held for what is left after as many rounds. */
const ROUNDS_MAX = 20;

export interface ViewToBuild {
  readonly view: FeatureView;
  readonly source: TopicSource;
}

/** Views whose state is missing or of another definition. */
export async function viewsToBuild(state: StateStore, catalog: Catalog): Promise<ViewToBuild[]> {
  const found: ViewToBuild[] = [];
  for (const source of sourcesByTopic(catalog).values()) {
    for (const view of catalog.views.values()) {
      if (view.streamSource !== source || !view.online || !view.enabled) continue;
      if (await mustBuild(state, view, source)) found.push({ view, source });
    }
  }
  return found;
}

/**
 * Builds one view after the other beside a running engine, which does not feed them until then.
 * Ends early, without an error, when the engine stops.
 */
export async function buildViews(options: {
  readonly resources: Resources;
  readonly catalog: Catalog;
  readonly engine: Materializer;
  readonly views: readonly ViewToBuild[];
  readonly onProgress: (progress: BuildProgress) => void;
  /** Called in the same hold of the stream in which the view got its state. */
  readonly onBuilt: (view: FeatureView) => void;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { resources, catalog, engine, views, onProgress, onBuilt, signal } = options;
  const state = await resources.state();
  for (const { view, source } of views) {
    let rowsDone = 0;
    const rowsTotal = await rowsOf(state, source);
    const tell = (rows: number, isDone: boolean): void => {
      rowsDone += rows;
      onProgress({ view: view.name, rowsDone, rowsTotal: Math.max(rowsTotal, rowsDone), isDone });
    };
    const onRows = (rows: number): void => tell(rows, false);
    tell(0, false);
    try {
      const build = await ViewBuild.begin({ resources, catalog, view, source, onRows, signal });
      for (let round = 0; round < ROUNDS_MAX; round++) {
        await build.catchUp();
        if ((await build.behind()) <= HELD_RECORDS_MAX) break;
      }
      await engine.exchange(source.topic, async () => {
        await build.catchUp();
        await build.takeOver();
        onBuilt(view);
      });
      tell(0, true);
    } catch (thrown) {
      if (signal.aborted) return;
      throw thrown;
    }
  }
}

async function mustBuild(
  state: StateStore,
  view: FeatureView,
  source: TopicSource,
): Promise<boolean> {
  const viewId = state.dictionary.viewId(view.name);
  const stored = viewId === undefined ? undefined : state.dictionary.stateFingerprint(viewId);
  if (stored !== undefined) return stored !== stateFingerprint(view);
  return (await rowsOf(state, source)) > 0;
}

/** Rows of a source that the engine has applied. */
async function rowsOf(state: StateStore, source: TopicSource): Promise<number> {
  const sourceId = state.dictionary.sourceId(source.name);
  if (sourceId === undefined) return 0;
  let rows = 0;
  for (let partition = 0; partition < source.partitions; partition++) {
    rows += (await readPositions(state, sourceId, partition))?.counters.rows ?? 0;
  }
  return rows;
}

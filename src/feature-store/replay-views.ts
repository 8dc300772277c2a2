import { readPositions } from '../checkpoint/index.ts';
import type { Catalog, FeatureView, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { storeChecksum, type ViewChecksum } from '../online/index.ts';
import type { PartitionReplay } from '../pipeline/index.ts';
import type { ReplayOptions, ReplayResult } from './replay.ts';
import { requireView } from './require.ts';
import type { Resources } from './resources.ts';
import { ViewBuild } from './view-build.ts';

/**
 * Builds the state of single views again, from the start: from the segments, and from the log where
 * rows are in no segment yet. All other views stay as they are. Each view is read as it was until its
 * new state is whole.
 * @throws FreshetError FEATURE_VIEW_NOT_FOUND, INVALID_ARGUMENT for a view without a topic or with
 * batch history
 */
export async function replayViews(
  resources: Resources,
  catalog: Catalog,
  { views = [], dryRun = false, onProgress }: ReplayOptions,
): Promise<ReplayResult> {
  const chosen = views.map((name) => requireStreamView(catalog, name));
  const plan: PartitionReplay[] = [];
  for (const { source } of chosen) plan.push(...(await planOf(resources, source)));
  if (dryRun) return { plan, before: null, after: null, same: null };
  const state = await resources.state();
  const before = pick(await storeChecksum(state), views);
  const recordsTotal = plan.reduce((sum, { records }) => sum + records, 0);
  let recordsDone = 0;
  const onRows = (rows: number): void => {
    recordsDone += rows;
    onProgress?.({ recordsDone, recordsTotal });
  };
  const { signal } = new AbortController();
  for (const { view, source } of chosen) {
    const build = await ViewBuild.begin({ resources, catalog, view, source, onRows, signal });
    await build.catchUp();
    await build.takeOver();
  }
  const after = pick(await storeChecksum(state), views);
  const same = views.every((name) => before[name]?.sha256 === after[name]?.sha256);
  return { plan, before, after, same };
}

function requireStreamView(
  catalog: Catalog,
  name: string,
): { readonly view: FeatureView; readonly source: TopicSource } {
  const view = requireView(catalog, name);
  const { streamSource: source, batchSource } = view;
  if (source !== null && batchSource === null && view.online) return { view, source };
  const why =
    source === null
      ? 'reads no topic'
      : view.online
        ? 'has batch history as well'
        : 'is not online';
  throw new FreshetError('INVALID_ARGUMENT', `view "${name}" ${why}: it is not replayed alone`, {
    where: { view: name },
    next: 'Load batch history with `freshet materialize`, or replay the whole source.',
  });
}

async function planOf(resources: Resources, source: TopicSource): Promise<PartitionReplay[]> {
  const { topic } = source;
  const { partitions } = await (await resources.log()).describeTopic(topic);
  return resources.readState(async (state) => {
    const sourceId = state.dictionary.sourceId(source.name);
    const plan: PartitionReplay[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const positions =
        sourceId === undefined ? null : await readPositions(state, sourceId, partition);
      const untilOffset = positions?.applied ?? 0;
      const records = positions?.counters.rows ?? 0;
      const range = { fromOffset: 0, untilOffset, records };
      plan.push({ topic, partition, ...range, clear: true, lost: [] });
    }
    return plan;
  });
}

function pick(
  checksums: Readonly<Record<string, ViewChecksum>>,
  views: readonly string[],
): Record<string, ViewChecksum> {
  return Object.fromEntries(Object.entries(checksums).filter(([view]) => views.includes(view)));
}

import { PartitionCheckpoint, startPositions } from '../checkpoint/index.ts';
import { createRowDecoder } from '../codec/index.ts';
import { rowLayout } from '../core/row-batch.ts';
import type { Catalog, FeatureView, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { Log, TopicPartition } from '../log/index.ts';
import { createUpserter } from '../online/index.ts';
import { PartitionTask, type ViewWriter } from '../pipeline/index.ts';
import type { StateStore } from '../state/index.ts';
import type { Resources } from './resources.ts';

/** Stream sources that some view reads, by topic. */
export function sourcesByTopic(catalog: Catalog): Map<string, TopicSource> {
  const sources = new Map<string, TopicSource>();
  for (const { streamSource, enabled } of catalog.views.values()) {
    if (streamSource !== null && enabled) sources.set(streamSource.topic, streamSource);
  }
  return sources;
}

/**
 * Opens what one partition needs: its positions, decoder, segment buffer and the writers of its
 * views, but of those that are being built.
 */
export async function openTask(
  resources: Resources,
  catalog: Catalog,
  tp: TopicPartition,
  building: ReadonlySet<FeatureView> = new Set(),
): Promise<PartitionTask> {
  const { config, clock } = resources;
  const source = requireSource(catalog, tp.topic);
  const log = await resources.log();
  const state = await resources.state();
  const sourceId = await state.dictionary.ensureSource(source.name);
  const [marks] = await log.watermarks([tp]);
  const { handovers } = await resources.registry.read();
  const handedOver = handovers[tp.topic]?.[tp.partition] ?? 0;
  const first = startPositions(Math.max(marks?.start ?? 0, handedOver));
  const stores = { state, manifest: await resources.manifest() };
  const checkpoint = await PartitionCheckpoint.open(stores, sourceId, tp, first);
  const { rowBytesMax, deadLetterTopic } = config.engine;
  const { segmentRowsMax, segmentBytesMax, segmentAgeMsMax } = config.offlineStore;
  const views = [...catalog.views.values()].filter((view) => view.streamSource === source);
  const open = (view: FeatureView): Promise<ViewWriter> =>
    openWriter(view, !building.has(view), source, sourceId, state, log);
  return new PartitionTask({
    source,
    views: await Promise.all(views.map(open)),
    decoder: createRowDecoder({
      source,
      requiredFields: requiredFields(catalog, source),
      rowBytesMax,
      clock,
      ...(source.format === 'avro' && { registry: await resources.schemas() }),
    }),
    checkpoint,
    writer: (await resources.segments()).writer(source, tp.partition),
    cutPolicy: { rowsMax: segmentRowsMax, bytesMax: segmentBytesMax, ageMsMax: segmentAgeMsMax },
    log,
    deadLetterTopic,
    clock,
  });
}

async function openWriter(
  view: FeatureView,
  isFed: boolean,
  source: TopicSource,
  sourceId: number,
  state: StateStore,
  log: Log,
): Promise<ViewWriter> {
  if (!view.online || !view.enabled || !isFed) return { view, upserter: null };
  const { partitions } = await log.describeTopic(source.topic);
  const layout = rowLayout(source.schema);
  return { view, upserter: await createUpserter({ state, view, sourceId, layout, partitions }) };
}

/** Join keys of any view that reads the source: a row without one belongs to no entity. */
export function requiredFields(catalog: Catalog, source: TopicSource): string[] {
  const views = [...catalog.views.values()].filter((view) => view.streamSource === source);
  return [...new Set(views.flatMap((view) => Object.keys(view.joinKeys)))];
}

function requireSource(catalog: Catalog, topic: string): TopicSource {
  const source = sourcesByTopic(catalog).get(topic);
  if (source !== undefined) return source;
  throw new FreshetError('SOURCE_NOT_FOUND', `no view reads topic "${topic}"`, {
    where: { topic },
  });
}

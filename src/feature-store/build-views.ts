/**
 * State for views that have none from their definition: a new view of a source that has history, or
 * one that got another aggregation, window or feature. It is built from the segments, and from the
 * log where rows are not in segments yet, under a name of its own; then it takes the view's name in
 * one write. Until then reads of the old definition go on, and a stop in between begins it anew.
 */
import { readPositions, resumeOffset } from '../checkpoint/index.ts';
import { createRowDecoder, type RowDecoder } from '../codec/index.ts';
import { rowLayout } from '../core/row-batch.ts';
import { RANK_STREAM } from '../core/row-order.ts';
import {
  type Catalog,
  type FeatureView,
  stateFingerprint,
  type TopicSource,
} from '../definition/index.ts';
import { KvBatch } from '../kv/index.ts';
import type { Log } from '../log/index.ts';
import { createUpserter, type RowUpserter } from '../online/index.ts';
import { listEntries, type SegmentRows, streamSegments } from '../segment/index.ts';
import {
  deletePartitionOfView,
  deleteViewState,
  type StateStore,
  statePartitions,
} from '../state/index.ts';
import { StreamClock } from '../window/index.ts';
import { requiredFields, sourcesByTopic } from './open-task.ts';
import type { Resources } from './resources.ts';

export interface BuildProgress {
  readonly view: string;
  readonly rowsDone: number;
  readonly rowsTotal: number;
}

/** What no view can be named. */
const BUILDING_SUFFIX = '~building';
/** Rows in one write of the store. */
const WRITE_ROWS = 16_384;

/** Before the first partition is opened; answers with the views that were built. */
export async function buildViews(
  resources: Resources,
  catalog: Catalog,
  onProgress: (progress: BuildProgress) => void = () => {},
): Promise<string[]> {
  const state = await resources.state();
  const built: string[] = [];
  for (const source of sourcesByTopic(catalog).values()) {
    for (const view of catalog.views.values()) {
      if (view.streamSource !== source || !view.online || !view.enabled) continue;
      if (!(await mustBuild(state, view, source))) continue;
      await new ViewBuild(resources, state, catalog, view, source, onProgress).run();
      built.push(view.name);
    }
  }
  return built;
}

async function mustBuild(
  state: StateStore,
  view: FeatureView,
  source: TopicSource,
): Promise<boolean> {
  const viewId = state.dictionary.viewId(view.name);
  const stored = viewId === undefined ? undefined : state.dictionary.stateFingerprint(viewId);
  if (stored !== undefined) return stored !== stateFingerprint(view);
  const sourceId = state.dictionary.sourceId(source.name);
  if (sourceId === undefined) return false;
  for (let partition = 0; partition < source.partitions; partition++) {
    const positions = await readPositions(state, sourceId, partition);
    if (positions !== null && positions.counters.rows > 0) return true;
  }
  return false;
}

class ViewBuild {
  readonly #resources: Resources;
  readonly #state: StateStore;
  readonly #catalog: Catalog;
  readonly #view: FeatureView;
  readonly #source: TopicSource;
  readonly #onProgress: (progress: BuildProgress) => void;
  readonly #stateName: string;
  #rowsTotal = 0;
  #rowsDone = 0;

  constructor(
    resources: Resources,
    state: StateStore,
    catalog: Catalog,
    view: FeatureView,
    source: TopicSource,
    onProgress: (progress: BuildProgress) => void,
  ) {
    this.#resources = resources;
    this.#state = state;
    this.#catalog = catalog;
    this.#view = view;
    this.#source = source;
    this.#onProgress = onProgress;
    this.#stateName = `${view.name}${BUILDING_SUFFIX}`;
  }

  async run(): Promise<void> {
    const { dictionary } = this.#state;
    await deleteViewState(this.#state, this.#stateName); // what an earlier attempt left
    const log = await this.#resources.log();
    const sourceId = await dictionary.ensureSource(this.#source.name);
    const { partitions } = await log.describeTopic(this.#source.topic);
    for (let partition = 0; partition < partitions; partition++) {
      const positions = await readPositions(this.#state, sourceId, partition);
      this.#rowsTotal += positions?.counters.rows ?? 0;
    }
    for (let partition = 0; partition < partitions; partition++) {
      await this.#buildPartition(log, sourceId, partition, partitions);
    }
    // A view whose rows were all rejected has no state yet: it gets its name all the same.
    await dictionary.ensureView(this.#stateName);
    const old = dictionary.viewId(this.#view.name);
    const batch = new KvBatch();
    for (const place of old === undefined ? [] : await statePartitions(this.#state.kv)) {
      deletePartitionOfView(place, old as number, batch);
    }
    await dictionary.moveView(this.#stateName, this.#view.name, batch);
  }

  async #buildPartition(
    log: Log,
    sourceId: number,
    partition: number,
    partitions: number,
  ): Promise<void> {
    const positions = await readPositions(this.#state, sourceId, partition);
    if (positions === null) return;
    const writer = new StateWriter(
      this.#state,
      await createUpserter({
        state: this.#state,
        view: this.#view,
        stateName: this.#stateName,
        sourceId,
        layout: rowLayout(this.#source.schema),
        partitions,
      }),
      new StreamClock(this.#source.outOfOrderMs, null),
      partition,
    );
    const entries = (await listEntries(this.#state.kv, sourceId)).filter(
      (entry) => entry.partition === partition && entry.startOffset < positions.applied,
    );
    const duckdb = await this.#resources.duckdb();
    const directory = this.#resources.config.offlineStore.path;
    for await (const rows of streamSegments(duckdb, directory, entries, this.#source)) {
      await writer.write(rows);
      this.#report(rows.rows.count);
    }
    await this.#readLog(log, writer, { partition, ...positions });
    await writer.flush();
  }

  /** Rows that state has and segments do not have yet; the engine reads on behind them. */
  async #readLog(
    log: Log,
    writer: StateWriter,
    positions: { readonly partition: number; readonly applied: number; readonly sealed: number },
  ): Promise<void> {
    const { topic } = this.#source;
    const { partition, applied, sealed } = positions;
    if (sealed >= applied) return;
    const offset = resumeOffset(positions as never);
    await using reader = await log.assign([{ topic, partition, offset }]);
    const decoder = await this.#decoder();
    for (let next = offset; next < applied; ) {
      for (const batch of await reader.poll({ waitMs: 1_000, maxRecords: applied - next })) {
        const { rows } = await decoder.decode(batch);
        await writer.write({ rows, lateByUs: null });
        this.#report(rows.count);
        next = batch.nextOffset;
      }
    }
  }

  async #decoder(): Promise<RowDecoder> {
    const { clock, config } = this.#resources;
    const source = this.#source;
    return createRowDecoder({
      source,
      requiredFields: requiredFields(this.#catalog, source),
      rowBytesMax: config.engine.rowBytesMax,
      clock,
      ...(source.format === 'avro' && { registry: await this.#resources.schemas() }),
    });
  }

  #report(rows: number): void {
    this.#rowsDone += rows;
    const rowsTotal = Math.max(this.#rowsTotal, this.#rowsDone);
    this.#onProgress({ view: this.#view.name, rowsDone: this.#rowsDone, rowsTotal });
  }
}

/** Rows of one partition into its new state, as the engine would have put them. */
class StateWriter {
  readonly #state: StateStore;
  readonly #upserter: RowUpserter;
  readonly #clock: StreamClock;
  readonly #partition: number;
  #batch = new KvBatch();
  #rows = 0;

  constructor(state: StateStore, upserter: RowUpserter, clock: StreamClock, partition: number) {
    this.#state = state;
    this.#upserter = upserter;
    this.#clock = clock;
    this.#partition = partition;
  }

  /** `lateByUs` null: as the clock finds it. */
  async write({
    rows,
    lateByUs,
  }: Omit<SegmentRows, 'lateByUs'> & { readonly lateByUs: Float64Array | null }): Promise<void> {
    const found = new Float64Array(rows.count);
    this.#clock.observe(rows.eventTimesUs, 0, rows.count, found);
    const origin = {
      partition: this.#partition,
      rank: RANK_STREAM,
      lateByUs: lateByUs ?? found,
      streamTimeUs: this.#clock.streamTimeUs,
    } as const;
    await this.#upserter.upsert(rows, origin, this.#batch);
    this.#rows += rows.count;
    if (this.#rows >= WRITE_ROWS) await this.flush();
  }

  async flush(): Promise<void> {
    await this.#state.kv.write(this.#batch);
    this.#batch = new KvBatch();
    this.#rows = 0;
  }
}

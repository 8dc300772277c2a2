import { readPositions } from '../checkpoint/index.ts';
import { createRowDecoder, type RowDecoder } from '../codec/index.ts';
import { firstAtOrAbove, type RowBatch, rowLayout, sliceRows } from '../core/row-batch.ts';
import { RANK_STREAM } from '../core/row-order.ts';
import type { Catalog, FeatureView, TopicSource } from '../definition/index.ts';
import { KvBatch } from '../kv/index.ts';
import { createUpserter, type RowUpserter } from '../online/index.ts';
import { type Manifest, streamSegments } from '../segment/index.ts';
import {
  deletePartitionOfView,
  deleteViewState,
  type StateStore,
  statePartitions,
} from '../state/index.ts';
import { StreamClock } from '../window/index.ts';
import { requiredFields } from './open-task.ts';
import type { Resources } from './resources.ts';

export interface ViewBuildOptions {
  readonly resources: Resources;
  readonly catalog: Catalog;
  readonly view: FeatureView;
  readonly source: TopicSource;
  /** Called for each batch of rows. */
  readonly onRows: (rows: number) => void;
  /** Ends `catchUp` between two batches of rows, with its reason. */
  readonly signal: AbortSignal;
}

/** What no view can be named. */
const BUILDING_SUFFIX = '~building';
/** Rows in one write of the store. */
const WRITE_ROWS = 16_384;

/** State of one view, built under a name of its own from the rows that the engine has applied. */
export class ViewBuild {
  readonly #options: ViewBuildOptions;
  readonly #state: StateStore;
  readonly #manifest: Manifest;
  readonly #sourceId: number;
  readonly #stateName: string;
  readonly #partitions: readonly PartitionBuild[];

  private constructor(
    options: ViewBuildOptions,
    { state, manifest }: { readonly state: StateStore; readonly manifest: Manifest },
    sourceId: number,
    partitions: readonly PartitionBuild[],
  ) {
    this.#options = options;
    this.#state = state;
    this.#manifest = manifest;
    this.#sourceId = sourceId;
    this.#stateName = stateNameOf(options.view);
    this.#partitions = partitions;
  }

  /** Begins anew: what an earlier attempt left is deleted. */
  static async begin(options: ViewBuildOptions): Promise<ViewBuild> {
    const { resources, view, source } = options;
    const [state, log] = [await resources.state(), await resources.log()];
    const stateName = stateNameOf(view);
    await deleteViewState(state, stateName);
    const sourceId = await state.dictionary.ensureSource(source.name);
    const { partitions } = await log.describeTopic(source.topic);
    const layout = rowLayout(source.schema);
    const builds: PartitionBuild[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const common = { state, view, stateName, sourceId, layout, partitions };
      const upserter = await createUpserter(common);
      const clock = new StreamClock(source.outOfOrderMs, null);
      builds.push({
        partition,
        next: 0,
        writer: new StateWriter(state, upserter, clock, partition),
      });
    }
    // A view whose rows were all rejected has no state: it gets its name all the same.
    await state.dictionary.ensureView(stateName);
    const stores = { state, manifest: await resources.manifest() };
    return new ViewBuild(options, stores, sourceId, builds);
  }

  /** Records that the engine has applied and this build has not. */
  async behind(): Promise<number> {
    let records = 0;
    for (const { partition, next } of this.#partitions) {
      const positions = await readPositions(this.#state, this.#sourceId, partition);
      records += Math.max(0, (positions?.applied ?? 0) - next);
    }
    return records;
  }

  /** Reads up to where the engine stood when each partition's turn came. */
  async catchUp(): Promise<void> {
    for (const build of this.#partitions) await this.#catchUpPartition(build);
  }

  /** Gives the state the view's name, and deletes what had it, in one write. */
  async takeOver(): Promise<void> {
    const { dictionary, kv } = this.#state;
    const { name } = this.#options.view;
    const old = dictionary.viewId(name);
    const batch = new KvBatch();
    for (const place of old === undefined ? [] : await statePartitions(kv)) {
      deletePartitionOfView(place, old as number, batch);
    }
    await dictionary.moveView(this.#stateName, name, batch);
  }

  async #catchUpPartition(build: PartitionBuild): Promise<void> {
    const { partition } = build;
    const positions = await readPositions(this.#state, this.#sourceId, partition);
    if (positions === null || positions.applied <= build.next) return;
    const { applied, sealed } = positions;
    await this.#readSegments(build, applied);
    build.next = Math.max(build.next, Math.min(sealed, applied));
    if (build.next < applied) await this.#readLog(build, applied);
    await build.writer.flush();
  }

  async #readSegments(build: PartitionBuild, applied: number): Promise<void> {
    const { resources, source } = this.#options;
    const entries = (await this.#manifest.entries(source.name)).filter(
      ({ partition, startOffset, endOffset }) =>
        partition === build.partition && startOffset < applied && endOffset > build.next,
    );
    const from = build.next;
    for await (const { rows, lateByUs } of streamSegments(
      await resources.duckdb(),
      resources.segmentFiles,
      entries,
      source,
    )) {
      const first = firstAtOrAbove(rows.offsets, rows.count, from);
      const end = firstAtOrAbove(rows.offsets, rows.count, applied);
      await this.#write(build, sliceRows(rows, first, end), lateByUs.subarray(first, end));
    }
  }

  /** Rows that state has and segments do not have yet. */
  async #readLog(build: PartitionBuild, applied: number): Promise<void> {
    const { topic } = this.#options.source;
    const log = await this.#options.resources.log();
    await using reader = await log.assign([
      { topic, partition: build.partition, offset: build.next },
    ]);
    const decoder = await this.#decoder();
    while (build.next < applied) {
      const maxRecords = applied - build.next;
      for (const batch of await reader.poll({ waitMs: 1_000, maxRecords })) {
        const { rows } = await decoder.decode(batch);
        const end = firstAtOrAbove(rows.offsets, rows.count, applied);
        await this.#write(build, sliceRows(rows, 0, end), null);
        build.next = Math.min(batch.nextOffset, applied);
      }
      this.#options.signal.throwIfAborted();
    }
  }

  async #write(
    { writer }: PartitionBuild,
    rows: RowBatch,
    lateByUs: Float64Array | null,
  ): Promise<void> {
    this.#options.signal.throwIfAborted();
    await writer.write(rows, lateByUs);
    this.#options.onRows(rows.count);
  }

  async #decoder(): Promise<RowDecoder> {
    const { resources, catalog, source } = this.#options;
    const { clock, config } = resources;
    return createRowDecoder({
      source,
      requiredFields: requiredFields(catalog, source),
      rowBytesMax: config.engine.rowBytesMax,
      clock,
      ...(source.format === 'avro' && { registry: await resources.schemas() }),
    });
  }
}

interface PartitionBuild {
  readonly partition: number;
  readonly writer: StateWriter;
  /** Records below are in the new state. */
  next: number;
}

function stateNameOf(view: FeatureView): string {
  return `${view.name}${BUILDING_SUFFIX}`;
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
  async write(rows: RowBatch, lateByUs: Float64Array | null): Promise<void> {
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

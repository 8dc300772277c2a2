import {
  type BackfillResult,
  type MaterializationInterval,
  materializationIntervals,
  writeRows,
} from '../backfill/index.ts';
import { type Config, type ConfigOverrides, loadConfig } from '../config/index.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Schema } from '../core/field-type.ts';
import { US_PER_MS } from '../core/time.ts';
import {
  buildCatalog,
  type Catalog,
  type Definition,
  type FeatureView,
  type ParquetSource,
  projectionsOf,
  type TopicSource,
} from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import {
  createHistoricalReader,
  createRowsOf,
  type HistoricalReader,
  type RowsOf,
} from '../join/index.ts';
import {
  inspectRows,
  type StateSize,
  stateSize,
  storeChecksum,
  type ViewChecksum,
} from '../online/index.ts';
import type { Materializer, PartitionStatus } from '../pipeline/index.ts';
import { createFeatureProducer, type FeatureProducer } from '../producer/index.ts';
import {
  applyCatalog,
  type Change,
  planApply,
  type RegistryState,
  teardown,
} from '../registry/index.ts';
import type { SegmentEntry } from '../segment/index.ts';
import type { OnlineServing } from '../serving/index.ts';
import { planWindows, type ReadCost, readCosts } from '../window/index.ts';
import { applyPorts } from './apply-ports.ts';
import { type BackfillOptions, type BackfillSummary, backfill } from './backfill.ts';
import { DeadLetters } from './dead-letters.ts';
import { DegradedSources } from './degraded-sources.ts';
import { type EntityHistory, type EntityHistoryOptions, entityHistory } from './entity-history.ts';
import { type EraseRequest, type EraseResult, erase } from './erase.ts';
import { History } from './history.ts';
import {
  type MaterializeRange,
  type MaterializeUntil,
  materialize,
  materializeIncremental,
} from './materialization.ts';
import { Servings } from './open-serving.ts';
import { sourcesByTopic } from './open-task.ts';
import { readSourceRows, type SourceRow, type SourceRowsOptions } from './read-source-rows.ts';
import { type ReplayOptions, type ReplayResult, replay } from './replay.ts';
import { requireEntity, requireTopicSource, requireView } from './require.ts';
import { Resources } from './resources.ts';
import { SavedDatasets } from './saved-datasets.ts';
import { type EngineOptions, startEngine } from './start-engine.ts';
import { type SourceStatus, storedStatus } from './status.ts';
import { type VerifyOptions, type VerifyResult, verify } from './verify.ts';

export interface FeatureStoreOptions {
  /** The feature repository. */
  readonly directory: string;
  /** What it defines. */
  readonly definitions: readonly Definition[];
  /** Values that win over those of `freshet.yaml`, which may then be missing. */
  readonly config?: ConfigOverrides;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/**
 * Opens a feature repository. Nothing is locked or connected before it is needed.
 * @example
 * await using store = await openFeatureStore({ directory: '.', definitions: [airportStats] });
 * await store.apply();
 * @throws FreshetError CONFIG_NOT_FOUND, CONFIG_INVALID, CONFIG_KEY_UNKNOWN, and as `buildCatalog`
 */
export async function openFeatureStore(options: FeatureStoreOptions): Promise<FeatureStore> {
  const { directory, definitions, config: overrides, clock = systemClock } = options;
  const config = await loadConfig(directory, undefined, overrides);
  return new FeatureStore(config, definitions, clock);
}

export interface ViewCost extends Omit<StateSize, 'valueBytes'> {
  /** By window; empty for a view of newest rows, which is one value. */
  readonly reads: readonly ReadCost[];
}

type Row = Readonly<Record<string, unknown>>;

/** One feature repository: its registry, its log, and both stores. */
export class FeatureStore implements AsyncDisposable {
  readonly config: Config;
  /** @throws FreshetError as `OnlineServing.getOnlineFeatures` says */
  readonly getOnlineFeatures: OnlineServing['getOnlineFeatures'];
  /** @throws FreshetError as `HistoricalReader.getHistoricalFeatures` says */
  readonly getHistoricalFeatures: HistoricalReader['getHistoricalFeatures'];
  readonly #definitions: readonly Definition[];
  readonly #resources: Resources;
  #catalog: Catalog;
  readonly #degraded: DegradedSources;
  #servings: Servings;
  #engine: Materializer | null = null;

  constructor(config: Config, definitions: readonly Definition[], clock: Clock) {
    this.config = config;
    this.#definitions = definitions;
    this.#catalog = buildCatalog(definitions);
    this.#resources = new Resources(config, clock);
    this.#degraded = new DegradedSources(clock);
    this.#servings = new Servings(this.#resources, this.#catalog, this.#degraded);
    this.getOnlineFeatures = ((request: never) =>
      this.#resources.readState(async (state) =>
        (await this.#servings.of(state)).getOnlineFeatures(request),
      )) as never;
    this.getHistoricalFeatures = (async (request: never) =>
      (await this.#openReader()).getHistoricalFeatures(request)) as never;
  }

  get catalog(): Catalog {
    return this.#catalog;
  }

  /** What `apply` would change. */
  plan(): Promise<Change[]> {
    return planApply(this.#resources.registry, buildCatalog(this.#definitions));
  }

  /**
   * Makes registry, topics and schemas what the definitions say. Applying twice changes nothing.
   * @throws FreshetError INCOMPATIBLE_CHANGE, SCHEMA_INCOMPATIBLE, TOPIC_MISMATCH, REGISTRY_LOCKED
   */
  async apply(options: { readonly force?: boolean } = {}): Promise<Change[]> {
    const catalog = buildCatalog(this.#definitions);
    const { deadLetterTopic } = this.config.engine;
    const changes = await applyCatalog(this.#resources.registry, catalog, this.#ports(), {
      ...options,
      systemTopics: [{ topic: deadLetterTopic, partitions: 1 }],
    });
    this.#replaceCatalog(catalog);
    return changes;
  }

  /**
   * Removes what `apply` made and what was made of it: stored rows, history, topics with their
   * records, schemas, the registry.
   * @throws FreshetError INVALID_ARGUMENT while the engine runs, STORE_LOCKED while another does
   */
  async teardown(): Promise<RegistryState> {
    this.#requireStopped('teardown');
    return teardown(this.#resources.registry, this.#ports());
  }

  /** What is applied. */
  registry(): Promise<RegistryState> {
    return this.#resources.registry.read();
  }

  /**
   * Starts the engine of this process; it stops with the store.
   * @throws FreshetError as `startEngine` says, INVALID_ARGUMENT when it is running
   */
  async startEngine(options: EngineOptions = {}): Promise<Materializer> {
    if (this.#engine !== null) {
      throw new FreshetError('INVALID_ARGUMENT', 'the engine of this feature store is running');
    }
    this.#engine = await startEngine(this.#resources, this.#catalog, options);
    this.#degraded.watch(this.#engine, [...sourcesByTopic(this.#catalog).keys()]);
    return this.#engine;
  }

  async stopEngine(): Promise<void> {
    const engine = this.#engine;
    this.#engine = null;
    this.#degraded.watch(null);
    await engine?.stop();
  }

  /** A topic source by name. @throws FreshetError SOURCE_NOT_FOUND */
  topicSource(name: string): TopicSource {
    return requireTopicSource(this.#catalog, name);
  }

  /** A producer of a source's topic. The caller closes it. */
  async producer<S extends Schema>(source: TopicSource<S>): Promise<FeatureProducer<S>> {
    return createFeatureProducer({
      source,
      log: await this.#resources.log(),
      rowBytesMax: this.config.engine.rowBytesMax,
      ...(source.format === 'avro' && { registry: await this.#resources.schemas() }),
    });
  }

  /** Loads batch history of a range of event time into the online store. */
  materialize(options: MaterializeRange): Promise<BackfillResult[]> {
    return materialize(this.#resources, this.#catalog, options);
  }

  /** Loads batch history from where the last run ended. */
  materializeIncremental(options: MaterializeUntil = {}): Promise<BackfillResult[]> {
    return materializeIncremental(this.#resources, this.#catalog, options);
  }

  /** Loads Parquet files of foreign origin into batch history, and into the online store. */
  backfill(options: BackfillOptions): Promise<BackfillSummary> {
    return this.#resources.alone(() => backfill(this.#resources, this.#catalog, options));
  }

  /** Ranges of event time of a view that are materialized. */
  async materializationIntervals(view: string): Promise<readonly MaterializationInterval[]> {
    const found = requireView(this.#catalog, view);
    return this.#resources.readState((state) => materializationIntervals(state, found));
  }

  /**
   * Puts rows of a view with batch history into the online store alone. They are not in history:
   * write them there, too, or training will not see what serving saw.
   * @throws FreshetError FEATURE_VIEW_NOT_FOUND, INVALID_ARGUMENT, and as `writeRows`
   */
  async writeToOnlineStore(viewName: string, rows: readonly Row[]): Promise<void> {
    const view = requireView(this.#catalog, viewName);
    const { batchSource } = view;
    if (batchSource === null) {
      throw new FreshetError('INVALID_ARGUMENT', `view "${view.name}" has no batch history`, {
        where: { view: view.name },
        next: 'Produce its rows to its topic: then they are in history, too.',
      });
    }
    await this.#writeRows([view], batchSource, rows);
  }

  /**
   * Sends rows to a source: to its topic, or, for batch history, to the online store of its views.
   * @throws FreshetError PUSH_SOURCE_NOT_FOUND, and the first row's error: then none is sent
   */
  async push(sourceName: string, rows: readonly Row[]): Promise<void> {
    const source = this.#catalog.sources.get(sourceName);
    if (source === undefined || source.kind === 'requestSource') {
      throw new FreshetError(
        'PUSH_SOURCE_NOT_FOUND',
        `Unable to find push source '${sourceName}'`,
        { where: { source: sourceName } },
      );
    }
    if (source.kind === 'topicSource') {
      await using producer = await this.producer(source);
      await producer.send(rows as never, { strict: true });
      return;
    }
    const views = [...this.#catalog.views.values()].filter(
      ({ batchSource, online, enabled }) => batchSource === source && online && enabled,
    );
    await this.#writeRows(views, source, rows);
  }

  /**
   * Values of one entity over event time, as a join gives them: rows that are not in segments yet
   * are not among them.
   * @throws FreshetError FEATURE_VIEW_NOT_FOUND, and as `entityHistory`
   */
  async entityHistory({ view, ...options }: EntityHistoryOptions): Promise<EntityHistory> {
    await using duckdb = await (await this.#resources.duckdb()).connect();
    const ports = { duckdb, rowsOf: await this.#rowsOf(), reader: await this.#openReader() };
    return await entityHistory(ports, requireView(this.#catalog, view), options);
  }

  /** The rows of a view's batch history in a range of event time, both ends included, as they are. */
  async readSourceRows({ view, ...range }: SourceRowsOptions): Promise<SourceRow[]> {
    return readSourceRows(this.#resources, requireView(this.#catalog, view), range);
  }

  /** Removes a view, what is stored of it, and the services that use it, until it is applied again. */
  async deleteFeatureView(name: string): Promise<void> {
    const view = requireView(this.#catalog, name);
    const catalog = buildCatalog([...allDefinitions(this.#catalog)].filter((d) => !uses(d, view)));
    const ports = this.#ports();
    await applyCatalog(this.#resources.registry, catalog, ports);
    await ports.deleteViews([name]); // it may have rows without being applied
    this.#replaceCatalog(catalog);
  }

  /**
   * Reads topics again into the online store.
   * @throws FreshetError INVALID_ARGUMENT while the engine runs, and as `replay` says
   */
  async replay(options: ReplayOptions): Promise<ReplayResult> {
    this.#requireStopped('replay');
    try {
      return await replay(this.#resources, this.#catalog, options);
    } finally {
      this.#degraded.forgetGaps();
    }
  }

  /** Compares what is served with what the segments give. */
  async verify(options: VerifyOptions = {}): Promise<VerifyResult> {
    const duckdb = await this.#resources.duckdb();
    const nowUs = this.#resources.clock.nowMs() * US_PER_MS;
    const reader = await this.#openReader();
    const sqlRows = { duckdb, rowsOf: await this.#rowsOf() };
    return this.#resources.readState(async (state) => {
      const serving = await this.#servings.of(state);
      return verify({ state, catalog: this.#catalog, serving, reader, sqlRows, nowUs }, options);
    });
  }

  /** Rejected records, and sending mended ones again. */
  get deadLetters(): DeadLetters {
    return new DeadLetters(this.#resources);
  }

  /**
   * Removes all that is stored of one entity: online, in history and datasets, in the embedded log.
   * @throws FreshetError INVALID_ARGUMENT while the engine runs, and as `erase` says
   */
  async erase(entityName: string, options: EraseRequest): Promise<EraseResult> {
    if (options.dryRun !== true) this.#requireStopped('erase');
    const entity = requireEntity(this.#catalog, entityName);
    return this.#resources.alone(() =>
      erase(this.#resources, this.#catalog, { ...options, entity, datasets: this.datasets }),
    );
  }

  /** Training data that is kept with the receipt of how it was made. */
  get datasets(): SavedDatasets {
    return new SavedDatasets(this.#resources, this.#catalog, () => this.#openReader());
  }

  /** Compaction, retention, and what they leave behind. */
  get history(): History {
    return new History(this.#resources, this.#catalog);
  }

  /** Where every source stands. */
  async status(): Promise<SourceStatus[]> {
    const stored = await storedStatus(this.#resources, this.#catalog);
    const live = this.#engine?.status() ?? [];
    return stored.map((source) => ({
      ...source,
      partitions: source.partitions.map((p) =>
        newest(
          p,
          live.find((l) => l.topic === p.topic && l.partition === p.partition),
        ),
      ),
    }));
  }

  /** What a view takes of the online store, and what an online read of it costs. */
  async viewCost(name: string): Promise<ViewCost> {
    const view = requireView(this.#catalog, name);
    const { windowing } = view;
    const { valueBytes, ...size } = await this.#resources.readState((state) =>
      stateSize(state, view),
    );
    const plan = windowing === null ? null : planWindows(view, windowing);
    return { ...size, reads: plan === null ? [] : readCosts(plan, valueBytes) };
  }

  /** Rows and a checksum of keys and values of each view in the online store. */
  async checksum(): Promise<Record<string, ViewChecksum>> {
    return this.#resources.readState(storeChecksum);
  }

  /** The stored rows of a view, decoded. */
  async *inspectView(name: string): ReturnType<typeof inspectRows> {
    const view = requireView(this.#catalog, name);
    const { state, release } = await this.#resources.leaseState();
    try {
      yield* inspectRows(state, view);
    } finally {
      release();
    }
  }

  /** The published segments of a topic source. @throws FreshetError SOURCE_NOT_FOUND */
  async segments(sourceName: string): Promise<SegmentEntry[]> {
    return this.#segmentsOf(requireTopicSource(this.#catalog, sourceName));
  }

  /** What the store has open, for the commands that do more than this class offers. */
  get resources(): Resources {
    return this.#resources;
  }

  /** Takes no more reads, stops the engine, waits for the reads under way, closes all. Idempotent. */
  async close(): Promise<void> {
    void this.#resources.endReads(); // closing the resources waits for it
    try {
      await this.stopEngine();
    } finally {
      await this.#resources.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #openReader(): Promise<HistoricalReader> {
    return createHistoricalReader({
      duckdb: await this.#resources.duckdb(),
      catalog: this.#catalog,
      clock: this.#resources.clock,
      beginRead: () => this.#resources.reads.begin(),
      rowsOf: await this.#rowsOf(),
    });
  }

  async #rowsOf(): Promise<RowsOf> {
    return createRowsOf({
      duckdb: await this.#resources.duckdb(),
      baseDirectory: this.config.repoDir,
      segmentFiles: this.#resources.segmentFiles,
      segmentsOf: (source) => this.#segmentsOf(source),
    });
  }

  async #segmentsOf(source: TopicSource): Promise<SegmentEntry[]> {
    return this.#resources.readState((_, manifest) => manifest.entries(source.name));
  }

  async #writeRows(
    views: readonly FeatureView[],
    source: ParquetSource,
    rows: readonly Row[],
  ): Promise<void> {
    const nowUs = this.#resources.clock.nowMs() * US_PER_MS;
    await writeRows(await this.#resources.state(), views, source, rows, nowUs);
  }

  #replaceCatalog(catalog: Catalog): void {
    this.#catalog = catalog;
    this.#servings = new Servings(this.#resources, catalog, this.#degraded);
  }

  #ports(): ReturnType<typeof applyPorts> {
    const ports = applyPorts(this.#resources);
    return {
      ...ports,
      deleteViews: async (names) => {
        this.#requireStopped(`deleting ${names.join(', ')}`);
        await ports.deleteViews(names);
      },
    };
  }

  #requireStopped(what: string): void {
    if (this.#engine === null) return;
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `the engine of this feature store runs: no ${what}`,
      {
        next: 'Stop the engine first.',
      },
    );
  }
}

/** What the engine knows is newer, but for the end of a log that it can no longer read. */
function newest(stored: PartitionStatus, live: PartitionStatus | undefined): PartitionStatus {
  if (live === undefined) return stored;
  const end = Math.max(live.end, stored.end);
  return { ...live, end, lagRecords: Math.max(0, end - live.applied) };
}

function* allDefinitions(catalog: Catalog): Generator<Definition> {
  yield* catalog.entities.values();
  yield* catalog.sources.values();
  yield* catalog.views.values();
  yield* catalog.onDemandViews.values();
  yield* catalog.services.values();
}

function uses(definition: Definition, view: FeatureView): boolean {
  if (definition === view) return true;
  if (definition.kind === 'onDemandFeatureView') {
    return definition.projections.some((projection) => projection.view === view);
  }
  if (definition.kind !== 'featureService') return false;
  return definition.features.some((ref) => projectionsOf(ref).some((p) => p.view === view));
}

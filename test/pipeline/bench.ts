/**
 * A whole engine over a log, a store and a folder of segments that outlive it: what the tests of
 * the pipeline start, stop, break and start again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Gap,
  listGaps,
  PartitionCheckpoint,
  type Positions,
  readPositions,
  recoverSegments,
  startPositions,
} from '../../src/checkpoint/index.ts';
import { createRowDecoder } from '../../src/codec/index.ts';
import { ManualClock } from '../../src/core/clock.ts';
import {
  entity,
  type FeatureView,
  featureView,
  lastN,
  lifetime,
  session,
  sliding,
  topicSource,
  tumbling,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import { type Duckdb, openDuckdb, type SqlRow } from '../../src/duckdb/index.ts';
import type { Log, LogBatch, TopicPartition } from '../../src/log/index.ts';
import {
  createUpserter,
  type InspectedRow,
  inspectRows,
  type RowUpserter,
  storeChecksum,
  type ViewChecksum,
} from '../../src/online/index.ts';
import {
  type CutPolicy,
  Materializer,
  type MaterializerOptions,
  PartitionTask,
} from '../../src/pipeline/index.ts';
import {
  createSegmentStore,
  kvManifest,
  localFiles,
  type Manifest,
  type SegmentEntry,
  type SegmentStore,
} from '../../src/segment/index.ts';
import { openStateStore, type StateStore, statePartitions } from '../../src/state/index.ts';
import { DurableFiles, DurableKv, logOn, Machine } from '../checkpoint/machine.ts';
import { DEAD_LETTERS, openTestLog, type ReadRecord, readAll } from '../checkpoint/support.ts';

export const SOURCE = topicSource({
  name: 'clicks',
  topic: 'clicks',
  schema: { user: 'string', at: 'timestamp', made: 'timestamp', amount: 'int32' },
  timestampField: 'at',
  createdTimestampField: 'made',
  keyFields: ['user'],
  format: 'json',
  outOfOrderMs: 1,
});

const user = entity({ name: 'user', joinKeys: { user: 'string' } });

/** A view without grace, one with some, one that is not online, and one of windows, which add up. */
const VIEWS = [
  featureView({ name: 'newest', entities: [user], source: SOURCE, schema: { amount: 'int32' } }),
  featureView({
    name: 'patient',
    entities: [user],
    source: SOURCE,
    schema: { amount: 'int32', made: 'timestamp' },
    grace: '10ms',
  }),
  featureView({
    name: 'offline',
    entities: [user],
    source: SOURCE,
    schema: { amount: 'int32' },
    online: false,
  }),
  windowedFeatureView({
    name: 'sums',
    entities: [user],
    source: SOURCE,
    grace: '5ms',
    aggregations: [
      { function: 'count', window: lifetime() },
      { column: 'amount', function: 'sum', window: tumbling('10ms') },
      { column: 'amount', function: lastN(3), window: sliding('20ms', { every: '1ms' }) },
      { column: 'amount', function: 'mean', window: session('2ms') },
    ],
  }),
] as unknown as readonly FeatureView[];

/** Times in microseconds. A row that is text goes into the log as it is. */
export interface ClickRow {
  readonly user: string | null;
  readonly at: number;
  readonly made?: number | null;
  readonly amount: number;
}

export const NOW_MS = 1_750_000_000_000;
/** Event time of the first of `rowsOf`. */
export const START_US = (NOW_MS - 1_000) * 1_000;
const NO_CUT: CutPolicy = { rowsMax: 1e9, bytesMax: 1e12, ageMsMax: 1e9 };

/** What is running on one machine. */
export interface Running {
  readonly machine: Machine;
  readonly log: Log;
  readonly state: StateStore;
  readonly manifest: Manifest;
  readonly segments: SegmentStore;
  /** Names of the files that the start swept away. */
  readonly swept: readonly string[];
}

/** What an engine has made of its topic. */
export interface Outcome {
  /** By partition. */
  readonly positions: Readonly<Record<number, Positions | null>>;
  readonly checksum: Readonly<Record<string, ViewChecksum>>;
  /** Newest rows by view. */
  readonly online: Readonly<Record<string, readonly InspectedRow[]>>;
  readonly entries: readonly SegmentEntry[];
  /** Rows of all segments by partition and offset. */
  readonly history: readonly SqlRow[];
  readonly deadLetters: readonly ReadRecord[];
  readonly gaps: readonly Gap[];
}

export class Bench implements AsyncDisposable {
  readonly log: Log;
  readonly clock: ManualClock;
  readonly directory: string;
  readonly #duckdb: Duckdb;
  cutPolicy: CutPolicy = NO_CUT;
  /** Offsets of the rows that were given to the newest rows of the first view. */
  readonly upserted: number[] = [];
  #kv = new DurableKv();
  readonly #files = new DurableFiles();

  private constructor(log: Log, clock: ManualClock, directory: string, duckdb: Duckdb) {
    this.log = log;
    this.clock = clock;
    this.directory = directory;
    this.#duckdb = duckdb;
  }

  static async open(duckdb: Duckdb, partitions = 1): Promise<Bench> {
    const clock = new ManualClock(NOW_MS);
    const log = await openTestLog(clock);
    await log.createTopic({ topic: SOURCE.topic, partitions });
    return new Bench(log, clock, mkdtempSync(join(tmpdir(), 'freshet-pipeline-')), duckdb);
  }

  async append(rows: readonly (ClickRow | string | null)[], partition = 0): Promise<void> {
    await this.log.append(
      rows.map((row) => ({ topic: SOURCE.topic, partition, ...recordOf(row) })),
    );
  }

  /** Opens store and segments on a machine, as a process does when it starts. */
  async start(machine = new Machine()): Promise<Running> {
    const state = await openStateStore(await this.#kv.open(machine));
    const manifest = kvManifest(state);
    const segments = this.#segmentStore(machine);
    const swept = await recoverSegments(state, manifest, segments);
    return { machine, log: logOn(this.log, machine), state, manifest, segments, swept };
  }

  async engine(
    running: Running,
    options: Partial<MaterializerOptions> = {},
  ): Promise<Materializer> {
    return Materializer.start({
      log: running.log,
      topics: [SOURCE.topic],
      group: 'engine',
      openTask: (tp) => this.task(running, tp),
      idleMs: new Map(),
      clock: this.clock,
      ...options,
    });
  }

  async task(running: Running, tp: TopicPartition): Promise<PartitionTask> {
    const { log, state, manifest, segments } = running;
    const [marks] = await log.watermarks([tp]);
    const { partitions } = await log.describeTopic(tp.topic);
    const sourceId = await state.dictionary.ensureSource(SOURCE.name);
    const decoder = createRowDecoder({ source: SOURCE, requiredFields: ['user'] });
    const { layout } = decoder;
    const views = [];
    for (const view of VIEWS) {
      const upserter = view.online
        ? await createUpserter({ state, view, sourceId, layout, partitions })
        : null;
      if (view === VIEWS[0] && upserter !== null) this.#watch(upserter);
      views.push({ view, upserter });
    }
    return new PartitionTask({
      source: SOURCE,
      views,
      decoder,
      checkpoint: await PartitionCheckpoint.open(
        { state, manifest },
        sourceId,
        tp,
        startPositions(marks!.start),
      ),
      writer: segments.writer(SOURCE, tp.partition),
      cutPolicy: this.cutPolicy,
      log,
      deadLetterTopic: DEAD_LETTERS,
      clock: this.clock,
    });
  }

  #watch(upserter: RowUpserter): void {
    const upsert = upserter.upsert.bind(upserter);
    upserter.upsert = (rows, from, into) => {
      this.upserted.push(...rows.offsets.subarray(0, rows.count));
      return upsert(rows, from, into);
    };
  }

  /** Batches of a partition of so many records each, from an offset on. */
  async batches(size: number, from = 0, partition = 0): Promise<LogBatch[]> {
    const tp = { topic: SOURCE.topic, partition };
    const reader = await this.log.assign([{ ...tp, offset: from }]);
    const batches: LogBatch[] = [];
    for (;;) {
      const [batch] = await reader.poll({ maxRecords: size });
      if (batch === undefined) break;
      batches.push(batch);
    }
    await reader.close();
    return batches;
  }

  /** The machine has lost its power: what was not durable is gone. */
  losePower(): void {
    this.#kv.losePower();
    this.#files.losePower();
  }

  /** The folder of the store was deleted; that of the segments was not. */
  loseStore(): void {
    this.#kv = new DurableKv();
  }

  /** Everything that a stopped engine leaves, read by a new process. */
  async outcome(): Promise<Outcome> {
    const { state, manifest, segments } = await this.start();
    const sourceId = state.dictionary.sourceId(SOURCE.name) ?? 0;
    const entries = await manifest.entries(SOURCE.name);
    for (const entry of entries) await segments.verify(entry);
    const positions: Record<number, Positions | null> = {};
    for (const { partition } of await statePartitions(state.kv)) {
      positions[partition] = await readPositions(state, sourceId, partition);
    }
    const online: Record<string, InspectedRow[]> = {};
    for (const view of VIEWS) {
      online[view.name] = await collect(inspectRows(state, view));
    }
    return {
      positions,
      checksum: await storeChecksum(state),
      online,
      entries,
      history: await this.#history(segments, entries),
      deadLetters: await readAll(this.log, { topic: DEAD_LETTERS, partition: 0 }),
      gaps: await listGaps(state.kv, sourceId),
    };
  }

  async #history(segments: SegmentStore, entries: readonly SegmentEntry[]): Promise<SqlRow[]> {
    if (entries.every(({ file }) => file === null)) return [];
    const relation = segments.relation(entries, SOURCE);
    return this.#duckdb.query(`SELECT * FROM (${relation}) ORDER BY _partition, _offset`);
  }

  #segmentStore(machine: Machine): SegmentStore {
    return createSegmentStore({
      files: localFiles(join(this.directory, 'offline'), this.#files.open(machine)),
      duckdb: this.#duckdb,
      clock: this.clock,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    rmSync(this.directory, { recursive: true });
  }
}

/** Rows of three users in order, a millisecond apart or so many as given. */
export function rowsOf(count: number, stepMs = 1): ClickRow[] {
  return Array.from({ length: count }, (_, i) => ({
    user: `u${i % 3}`,
    at: START_US + i * stepMs * 1_000,
    made: null,
    amount: i,
  }));
}

/** A database for all benches of a file; opening one takes longer than most tests. */
export async function openTestDuckdb(): Promise<Duckdb> {
  return openDuckdb({ memoryLimitBytes: 256 * 1024 * 1024, threads: 1, tempDirectory: tmpdir() });
}

function recordOf(row: ClickRow | string | null): {
  key: Uint8Array | null;
  value: Uint8Array | null;
} {
  if (row === null) return { key: Buffer.from('none'), value: null };
  if (typeof row === 'string') return { key: Buffer.from('text'), value: Buffer.from(row) };
  return { key: Buffer.from(row.user ?? ''), value: Buffer.from(JSON.stringify(row)) };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/**
 * Metrics for Prometheus: what the engine of this process tells (`telemetry/channels.ts`), where
 * partitions and segments stand when it is asked, and how long reads and requests take. Names end
 * in their unit.
 */
import type { Channel } from 'node:diagnostics_channel';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../core/clock.ts';
import { US_PER_SECOND } from '../core/time.ts';
import type { SourceStatus } from '../feature-store/index.ts';
import { channels } from '../telemetry/index.ts';

const PARTITION = ['topic', 'partition'] as const;
/** Seconds: a hot read takes microseconds, a cold batch a second. */
const READ_BUCKETS = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
];
const BATCH_BUCKETS = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is known at the time of a scrape. */
export interface Standing {
  readonly sources: readonly SourceStatus[];
  readonly isHealthy: boolean;
  readonly onlineStoreBytes: number;
}

/** Online reads since the server started. */
export interface ReadTotals {
  readonly reads: number;
  readonly entityRows: number;
  readonly durationMs: number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #clock: Clock;
  readonly #reads: Histogram;
  readonly #readRows: Counter;
  readonly #requests: Histogram;
  readonly #standing: StandingMetrics;
  readonly #unsubscribe: readonly (() => void)[];
  #readTotals: ReadTotals = { reads: 0, entityRows: 0, durationMs: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#reads = new Histogram({
      name: 'freshet_read_duration_seconds',
      help: 'Online reads, without HTTP and JSON',
      buckets: READ_BUCKETS,
      registers,
    });
    this.#readRows = new Counter({
      name: 'freshet_read_entity_rows_total',
      help: 'Entity rows that online reads answered',
      registers,
    });
    this.#requests = new Histogram({
      name: 'freshet_http_request_duration_seconds',
      help: 'HTTP requests by route, from their head to the end of the answer',
      labelNames: ['method', 'route', 'status'],
      buckets: READ_BUCKETS,
      registers,
    });
    this.#standing = standingMetrics(registers);
    this.#unsubscribe = subscribeEngine(registers);
  }

  /** Times an online read of some entity rows; one that fails does not count. */
  async timeRead<T>(rows: number, read: () => Promise<T>): Promise<T> {
    const end = this.#reads.startTimer();
    const answer = await read();
    const seconds = end();
    this.#readRows.inc(rows);
    const { reads, entityRows, durationMs } = this.#readTotals;
    this.#readTotals = {
      reads: reads + 1,
      entityRows: entityRows + rows,
      durationMs: durationMs + seconds * 1_000,
    };
    return answer;
  }

  get readTotals(): ReadTotals {
    return this.#readTotals;
  }

  countRequest(method: string, route: string, status: number, durationMs: number): void {
    this.#requests.observe({ method, route, status }, durationMs / 1_000);
  }

  /** The text of one scrape; `standing` is null where it could not be read. */
  async text(standing: Standing | null): Promise<string> {
    setStanding(this.#standing, standing, this.#clock.nowMs());
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  close(): void {
    for (const stop of this.#unsubscribe) stop();
    this.#registry.clear();
  }
}

type Registers = Registry[];

/** What the engine tells while it runs. */
function subscribeEngine(registers: Registers): (() => void)[] {
  const records = new Counter({
    name: 'freshet_engine_records_total',
    help: 'Records that the engine of this process read',
    labelNames: PARTITION,
    registers,
  });
  const batches = new Histogram({
    name: 'freshet_engine_batch_duration_seconds',
    help: 'Micro-batches, from decoding to the end of their commit',
    labelNames: ['topic'],
    buckets: BATCH_BUCKETS,
    registers,
  });
  const commits = new Histogram({
    name: 'freshet_engine_commit_duration_seconds',
    help: 'Commits of micro-batches: the write of state and positions',
    labelNames: ['topic'],
    buckets: BATCH_BUCKETS,
    registers,
  });
  const dropped = new Counter({
    name: 'freshet_engine_dropped_rows_total',
    help: 'Rows that retention took out of history',
    labelNames: ['source'],
    registers,
  });
  const segments = new Counter({
    name: 'freshet_engine_segments_total',
    help: 'Segments that the engine of this process published',
    labelNames: ['topic'],
    registers,
  });
  const retries = new Counter({
    name: 'freshet_engine_retries_total',
    help: 'Failures after which the engine tries again',
    labelNames: ['code'],
    registers,
  });
  return [
    on(channels.batch, ({ topic, partition, records: count, durationMs }) => {
      records.inc({ topic, partition }, count);
      batches.observe({ topic }, durationMs / 1_000);
    }),
    on(channels.commit, ({ topic, durationMs }) => commits.observe({ topic }, durationMs / 1_000)),
    on(channels.segment, ({ topic }) => segments.inc({ topic })),
    on(channels.dropped, ({ source, rows }) => dropped.inc({ source }, rows)),
    on(channels.retry, ({ code }) => retries.inc({ code })),
  ];
}

type StandingMetrics = ReturnType<typeof standingMetrics>;

/** What is set anew at every scrape. Counts come from the store, so they outlive the process. */
function standingMetrics(registers: Registers) {
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name, help, labelNames, registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers });
  const SOURCE = ['source'] as const;
  const isThere = '1 or 0';
  return {
    rows: counter('freshet_rows_total', 'Rows applied to the online store', PARTITION),
    rejected: counter('freshet_rejected_rows_total', 'Records that became dead letters', PARTITION),
    late: counter('freshet_late_rows_total', 'Rows behind the grace of a view', [
      ...PARTITION,
      'view',
    ]),
    lag: gauge('freshet_lag_records', 'Records between the cursor and the end', PARTITION),
    applied: gauge('freshet_applied_offset', 'Next offset not yet in state', PARTITION),
    sealed: gauge('freshet_sealed_offset', 'Next offset not yet in a segment', PARTITION),
    streamTime: gauge('freshet_stream_time_seconds', 'Stream time, since 1970', PARTITION),
    freshness: gauge('freshet_freshness_seconds', 'Now less stream time', PARTITION),
    suspended: gauge(
      'freshet_partition_suspended',
      `Whether it waits after a failure, ${isThere}`,
      PARTITION,
    ),
    idle: gauge('freshet_partition_idle', `Whether it is declared idle, ${isThere}`, PARTITION),
    files: gauge('freshet_segment_files', 'Published segments', SOURCE),
    segmentRows: gauge('freshet_segment_rows', 'Rows in published segments', SOURCE),
    bytes: gauge('freshet_segment_bytes', 'Bytes of published segments', SOURCE),
    gaps: gauge('freshet_gap_records', 'Records removed before they were read', SOURCE),
    onlineStore: gauge('freshet_online_store_bytes', 'Files of the online store', []),
    healthy: gauge('freshet_healthy', `As /health says, ${isThere}`, []),
    known: gauge('freshet_status_known', `Whether the standing could be read, ${isThere}`, []),
  };
}

function setStanding(metrics: StandingMetrics, standing: Standing | null, nowMs: number): void {
  for (const metric of Object.values(metrics)) metric.reset();
  metrics.known.set(standing === null ? 0 : 1);
  if (standing === null) return;
  metrics.healthy.set(standing.isHealthy ? 1 : 0);
  metrics.onlineStore.set(standing.onlineStoreBytes);
  for (const { source, partitions, segments, gaps } of standing.sources) {
    metrics.files.set({ source }, segments.files);
    metrics.segmentRows.set({ source }, segments.rows);
    metrics.bytes.set({ source }, segments.bytes);
    metrics.gaps.set(
      { source },
      gaps.reduce((sum, { fromOffset, toOffset }) => sum + toOffset - fromOffset, 0),
    );
    for (const partition of partitions) setPartition(metrics, partition, nowMs);
  }
}

function setPartition(
  metrics: StandingMetrics,
  status: SourceStatus['partitions'][number],
  nowMs: number,
): void {
  const { topic, partition, streamTimeUs } = status;
  const labels = { topic, partition };
  metrics.rows.inc(labels, status.rows);
  metrics.rejected.inc(labels, status.rejected);
  for (const [view, count] of Object.entries(status.late)) {
    metrics.late.inc({ ...labels, view }, count);
  }
  metrics.lag.set(labels, status.lagRecords);
  metrics.applied.set(labels, status.applied);
  metrics.sealed.set(labels, status.sealed);
  metrics.suspended.set(labels, status.retryAtMs === null ? 0 : 1);
  metrics.idle.set(labels, status.idle ? 1 : 0);
  if (streamTimeUs === null) return;
  metrics.streamTime.set(labels, streamTimeUs / US_PER_SECOND);
  metrics.freshness.set(labels, nowMs / 1_000 - streamTimeUs / US_PER_SECOND);
}

function on<T>(channel: Channel<unknown, T>, listener: (event: T) => void): () => void {
  const handle = (event: unknown): void => listener(event as T);
  channel.subscribe(handle);
  return () => void channel.unsubscribe(handle);
}

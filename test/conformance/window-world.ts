/** One windowed view over one topic, through the public interface: rows in, values at a time out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../src/core/clock.ts';
import type { FieldType } from '../../src/core/field-type.ts';
import type { AggregationSpec } from '../../src/definition/index.ts';
import {
  entity,
  type FeatureStore,
  type FeatureView,
  openFeatureStore,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';

export type Values = Readonly<Record<string, unknown>>;

export interface WorldSpec {
  /** Columns of the rows beside `key` and `ts`. */
  readonly columns: Readonly<Record<string, FieldType>>;
  readonly derive?: Readonly<Record<string, Derived>>;
  readonly where?: (row: Values) => boolean;
  readonly aggregations: readonly Aggregation[];
  readonly graceMs: number;
  /** Arrival of the first rows. */
  readonly nowMs: number;
}

export interface Aggregation {
  readonly name: string;
  readonly column?: string;
  readonly function: AggregationSpec['function'];
  readonly window: AggregationSpec['window'];
}

interface Derived {
  readonly type: FieldType;
  readonly of: (row: Values) => unknown;
}

export interface Label {
  readonly key: string;
  readonly atUs: number;
}

type HistoricalOptions = Readonly<{ knownAt?: 'arrival'; strictlyBefore?: boolean }>;
type Engine = Awaited<ReturnType<FeatureStore['startEngine']>>;

export class WindowWorld implements AsyncDisposable {
  readonly #directory: string;
  readonly #store: FeatureStore;
  readonly #clock: ManualClock;
  readonly #view: FeatureView;
  #engine: Engine | null = null;

  private constructor(
    directory: string,
    store: FeatureStore,
    clock: ManualClock,
    view: FeatureView,
  ) {
    this.#directory = directory;
    this.#store = store;
    this.#clock = clock;
    this.#view = view;
  }

  static async open(spec: WorldSpec): Promise<WindowWorld> {
    const directory = await mkdtemp(join(tmpdir(), 'freshet-case-'));
    const clock = new ManualClock(spec.nowMs);
    const view = viewOf(spec);
    const store = await openFeatureStore({
      directory,
      definitions: [view],
      clock,
      config: { project: 'cases', onlineStore: { binding: 'memory' } },
    });
    const world = new WindowWorld(directory, store, clock, view);
    await store.apply();
    world.#engine = await store.startEngine();
    return world;
  }

  /** Rows arrive at a time, or now when that has passed, and are applied. */
  async append(rows: readonly Values[], arrivalMs: number): Promise<void> {
    this.#clock.advance(Math.max(0, arrivalMs - this.#clock.nowMs()));
    await this.#store.push('events', rows);
    await this.#engine?.caughtUp();
  }

  async online(key: string, atUs: number): Promise<Values> {
    const answer = await this.#store.getOnlineFeatures({
      features: [this.#view],
      entityRows: [{ key }],
      asOf: atUs,
    } as never);
    return answer.rows[0] as Values;
  }

  /** Stops the engine, so that all rows are in segments, and joins. */
  async historical(labels: readonly Label[], options: HistoricalOptions = {}): Promise<Values[]> {
    await this.#store.stopEngine();
    await using features = await this.#store.getHistoricalFeatures({
      features: [this.#view],
      entityRows: labels.map(({ key, atUs }) => ({ key, event_timestamp: atUs })),
      ...options,
    } as never);
    return (await features.toArray()) as unknown as Values[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Any time of a case, whatever clock it was written by. */
const AHEAD_MS_MAX = 100 * 365 * 86_400_000;

function viewOf({ columns, derive, where, aggregations, graceMs }: WorldSpec): FeatureView {
  const source = topicSource({
    name: 'events',
    topic: 'events',
    schema: { ts: 'timestamp', key: 'string', ...columns },
    timestampField: 'ts',
    maxAheadMs: AHEAD_MS_MAX,
    partitions: 1,
  });
  return windowedFeatureView({
    name: 'windows',
    entities: [entity({ name: 'key', joinKeys: { key: 'string' } })],
    source,
    aggregations: aggregations as never,
    grace: `${graceMs}ms`,
    ...(derive && { derive: derive as never }),
    ...(where && { where: where as never }),
  }) as unknown as FeatureView;
}

/** The narrowest type that holds all values of a case. */
export function typeOfValues(values: readonly unknown[]): FieldType {
  const present = values.filter((value) => value !== null && value !== undefined);
  if (present.every((value) => typeof value === 'number')) {
    return present.every(Number.isSafeInteger) ? 'int64' : 'float64';
  }
  if (present.every((value) => typeof value === 'string')) return 'string';
  throw new Error(`a case has values that this runner does not know: ${JSON.stringify(present)}`);
}

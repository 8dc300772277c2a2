import { type Gap, listGaps } from '../checkpoint/index.ts';
import type { Clock } from '../core/clock.ts';
import { formatTimestampUs, US_PER_MS } from '../core/time.ts';
import type { TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { Materializer } from '../pipeline/index.ts';
import type { DegradedSource } from '../serving/index.ts';
import type { StateStore } from '../state/index.ts';

/** The engine is asked no more often than this: reads are many. */
const LOOK_MS = 100;

type Trouble = Omit<DegradedSource, 'source' | 'topic'>;

const NONE: readonly Trouble[] = [];
const NONE_DEGRADED: readonly DegradedSource[] = [];

type WatchedEngine = Pick<Materializer, 'finished' | 'failedPolls' | 'gapsSkipped' | 'status'>;

/**
 * Which sources may lack rows, as far as this process knows: by the engine it runs, and by the gaps
 * that are recorded in the state. Whether an engine in another process is well is not known here.
 */
export class DegradedSources {
  readonly #clock: Clock;
  #engine: WatchedEngine | null = null;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** By topic. */
  #found: ReadonlyMap<string, readonly Trouble[]> = new Map();
  #gaps = new WeakMap<StateStore, KnownGaps>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The engine of this process from now on, and the topics it reads; null: there is none. */
  watch(engine: WatchedEngine | null, topics: readonly string[] = []): void {
    this.#engine = engine;
    this.#found = new Map();
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    engine?.finished.catch((thrown: unknown) => {
      if (this.#engine !== engine) return;
      this.#engine = null; // it says nothing new any more
      const code = thrown instanceof FreshetError ? thrown.code : 'INTERNAL';
      const stopped: Trouble = {
        partition: null,
        state: 'STOPPED',
        reason: `the engine stopped: ${code}`,
      };
      this.#found = new Map(topics.map((topic) => [topic, [stopped]]));
    });
  }

  /** Reads the gaps of a state where they are not known as they are now. */
  async readGaps(state: StateStore, sources: readonly TopicSource[]): Promise<void> {
    const skipped = this.#engine?.gapsSkipped ?? 0;
    const bySource = new Map<string, readonly Trouble[]>();
    for (const source of sources) {
      const sourceId = state.dictionary.sourceId(source.name);
      const gaps = sourceId === undefined ? [] : await listGaps(state.kv, sourceId);
      const found = gaps.filter((gap) => gap.of === 'state').map(ofGap);
      if (found.length > 0) bySource.set(source.name, found);
    }
    this.#gaps.set(state, { skipped, bySource });
  }

  /** Of states that something else than the engine of this process has changed. */
  forgetGaps(): void {
    this.#gaps = new WeakMap();
  }

  /** Whether `readGaps` has nothing to do. */
  knowsGaps(state: StateStore): boolean {
    return this.#gaps.get(state)?.skipped === (this.#engine?.gapsSkipped ?? 0);
  }

  of(state: StateStore, source: TopicSource): readonly DegradedSource[] {
    const nowMs = this.#clock.nowMs();
    // A clock may be set back.
    if (this.#engine !== null && Math.abs(nowMs - this.#lookedAtMs) >= LOOK_MS) {
      this.#lookedAtMs = nowMs;
      this.#found = this.#look(this.#engine);
    }
    const ofEngine = this.#found.get(source.topic) ?? NONE;
    const ofState = this.#gaps.get(state)?.bySource.get(source.name) ?? NONE;
    if (ofEngine.length + ofState.length === 0) return NONE_DEGRADED;
    const { name, topic } = source;
    return [...ofEngine, ...ofState].map((trouble) => ({ source: name, topic, ...trouble }));
  }

  /** By topic. */
  #look(engine: WatchedEngine): ReadonlyMap<string, readonly Trouble[]> {
    const found = new Map<string, Trouble[]>();
    for (const { topic, partition, retryAtMs } of engine.status()) {
      const known = found.get(topic) ?? [];
      if (engine.failedPolls > 0 && known.length === 0) {
        const reason = `the log cannot be read; ${engine.failedPolls} polls failed in a row`;
        known.push({ partition: null, state: 'LOG_UNAVAILABLE', reason });
      }
      if (retryAtMs !== null) {
        const reason = `partition ${partition} failed and is tried again at ${formatTimestampUs(retryAtMs * US_PER_MS)}`;
        known.push({ partition, state: 'SUSPENDED', reason });
      }
      if (known.length > 0) found.set(topic, known);
    }
    return found;
  }
}

interface KnownGaps {
  /** How many the engine had skipped when they were read. */
  readonly skipped: number;
  readonly bySource: ReadonlyMap<string, readonly Trouble[]>;
}

function ofGap({ partition, fromOffset, toOffset }: Gap): Trouble {
  const reason = `records ${fromOffset} to ${toOffset - 1} of partition ${partition} were removed before they were read`;
  return { partition, state: 'GAP', reason };
}

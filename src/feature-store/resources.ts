import { join } from 'node:path';
import type { SchemaRegistry } from '../codec/index.ts';
import type { Config } from '../config/index.ts';
import type { Clock } from '../core/clock.ts';
import { createQueue, type Queue } from '../core/queue.ts';
import { type Duckdb, openDuckdb } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { type KvReader, type KvStore, openKvStore, ReadCache } from '../kv/index.ts';
import type { Log } from '../log/index.ts';
import { RegistryFile } from '../registry/index.ts';
import {
  createSegmentStore,
  type FileStore,
  kvManifest,
  localFiles,
  type Manifest,
  type ManifestReader,
  type SegmentStore,
  SegmentTotalsCache,
} from '../segment/index.ts';
import { openStateStore, type StateStore } from '../state/index.ts';
import { openLog, openSchemaRegistry } from './open-connectors.ts';
import { OpenReads } from './open-reads.ts';
import { StateFollower, type StateLease } from './state-follower.ts';

/**
 * What a feature store has open. Each resource is opened when it is first asked for and closed with
 * the store, the last opened first. Reading opens nothing for writing: another process may be.
 */
export class Resources {
  readonly config: Config;
  readonly clock: Clock;
  readonly registry: RegistryFile;
  readonly reads: OpenReads;
  readonly segmentTotals: SegmentTotalsCache = new SegmentTotalsCache();
  /** One at a time: work that puts files in the place of others, or deletes files that nothing names. */
  readonly alone: Queue = createQueue();
  readonly #open = new Map<string, Promise<unknown>>();
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #closerOf = new Map<string, () => Promise<void>>();
  readonly #lender: Resources | null;
  readonly #caches = new WeakMap<StateStore, ReadCache>();
  #reading = 0;
  #onReadsEnd: (() => void) | null = null;
  #readsEnded: Promise<void> | null = null;
  #closed = false;

  /** With a lender, its log and its schemas are used; the stores are beside its live ones. */
  constructor(config: Config, clock: Clock, lender: Resources | null = null) {
    this.config = config;
    this.clock = clock;
    this.#lender = lender;
    this.reads = new OpenReads(clock);
    const { project } = config;
    this.registry = new RegistryFile({ path: config.registry.path, project, clock });
  }

  /** Whether the stores are the ones that the repository serves from. */
  get isLive(): boolean {
    return this.#lender === null;
  }

  /** @throws FreshetError LOG_LOCKED, LOG_UNAVAILABLE */
  log(): Promise<Log> {
    if (this.#lender !== null) return this.#lender.log();
    return this.#once('log', () => openLog(this.config, this.clock, false), closeIt);
  }

  /** The log if it is open, otherwise a view of it that locks nothing; null when there is none yet. */
  async logToRead(): Promise<Log | null> {
    if (this.#open.has('log')) return this.log();
    try {
      return await this.#once('log-read', () => openLog(this.config, this.clock, true), closeIt);
    } catch (thrown) {
      if (isNotFound(thrown)) return null;
      throw thrown;
    }
  }

  schemas(): Promise<SchemaRegistry> {
    if (this.#lender !== null) return this.#lender.schemas();
    return this.#once('schemas', () => openSchemaRegistry(this.config), closeIt);
  }

  duckdb(): Promise<Duckdb> {
    const { memoryBytesMax, threads, path } = this.config.offlineStore;
    const options = {
      memoryLimitBytes: memoryBytesMax,
      threads,
      tempDirectory: join(path, '.spill'),
    };
    return this.#once('duckdb', () => openDuckdb(options), closeIt);
  }

  /** The one place that says where segments lie. */
  get segmentFiles(): FileStore {
    return localFiles(this.config.offlineStore.path);
  }

  async segments(): Promise<SegmentStore> {
    const { clock } = this;
    return createSegmentStore({ files: this.segmentFiles, duckdb: await this.duckdb(), clock });
  }

  /** @throws FreshetError STORE_LOCKED, STORE_VERSION */
  state(): Promise<StateStore> {
    const { path, binding } = this.config.onlineStore;
    const open = async (): Promise<StateStore> =>
      this.#openState(await openKvStore({ path, binding }), false);
    return this.#once('state', open, closeIt);
  }

  /** Which files are segments; as long as the state is open. @throws as `state` */
  async manifest(): Promise<Manifest> {
    return kvManifest(await this.state());
  }

  /**
   * Closes the state and opens it again: RocksDB's own list of files, which has the first and last
   * keys of files that are gone, is then written anew. Nothing may be using it.
   */
  async reopenState(): Promise<void> {
    const closer = this.#closerOf.get('state');
    this.#open.delete('state');
    if (closer !== undefined) {
      this.#closers.splice(this.#closers.indexOf(closer), 1);
      await closer();
    }
    await this.state();
  }

  /**
   * The state of this process if it has it open, otherwise that of another, without a lock and no
   * older than `onlineStore.staleMsMax`; empty where there is none yet.
   */
  async leaseState(): Promise<StateLease> {
    if (this.config.onlineStore.binding === 'memory' || this.#open.has('state')) {
      return { state: await this.state(), release: () => {} };
    }
    const follower = await this.#once('state-follower', async () => this.#follow(), closeIt);
    return follower.lease();
  }

  /** A leased state, and the manifest as it is beside it. */
  async readState<T>(
    read: (state: StateStore, manifest: ManifestReader) => Promise<T>,
  ): Promise<T> {
    if (this.#readsEnded !== null) throw closed();
    this.#reading++;
    try {
      const { state, release } = await this.leaseState();
      try {
        return await read(state, kvManifest(state));
      } finally {
        release();
      }
    } finally {
      this.#reading--;
      if (this.#reading === 0) this.#onReadsEnd?.();
    }
  }

  /** Begins no more reads of the state; resolves behind the last that is under way. Idempotent. */
  endReads(): Promise<void> {
    this.#readsEnded ??= new Promise((resolve) => {
      if (this.#reading === 0) resolve();
      else this.#onReadsEnd = resolve;
    });
    return this.#readsEnded;
  }

  /** How online reads get the values of keys: through the cache of a state. */
  readManyOf(state: StateStore): KvReader['getMany'] {
    const cache = this.#caches.get(state);
    return (keys) => (cache ?? state.kv).getMany(keys);
  }

  async #openState(kv: KvStore, readOnly: boolean): Promise<StateStore> {
    const { cacheBytesMax } = this.config.onlineStore;
    if (cacheBytesMax === 0) return openStateStore(kv, { readOnly });
    const cache = new ReadCache(kv, cacheBytesMax);
    const state = await openStateStore(cache.store, { readOnly });
    this.#caches.set(state, cache);
    return state;
  }

  #follow(): StateFollower {
    const { path, binding, staleMsMax } = this.config.onlineStore;
    const openThere = async (): Promise<StateStore> =>
      this.#openState(await openKvStore({ path, binding, readOnly: true }), true);
    const openEmpty = async (): Promise<StateStore> =>
      openStateStore(await openKvStore({ path, binding: 'memory' }));
    return new StateFollower({
      open: async () => {
        try {
          return { state: await openThere(), isThere: true };
        } catch (thrown) {
          if (!isNotFound(thrown)) throw thrown;
          return { state: await openEmpty(), isThere: false };
        }
      },
      clock: this.clock,
      staleMsMax,
    });
  }

  /** Waits for the reads of the state that are under way. Idempotent. */
  async close(): Promise<void> {
    await this.endReads();
    this.#closed = true;
    while (this.#closers.length > 0) await this.#closers.pop()?.();
  }

  /** A resource that could not be opened is tried again by the next call. */
  #once<T>(name: string, open: () => Promise<T>, close: (opened: T) => Promise<void>): Promise<T> {
    if (this.#closed) throw closed();
    const known = this.#open.get(name) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const opening = open();
    const closer = (): Promise<void> => opening.then(close, () => undefined);
    this.#open.set(name, opening);
    this.#closers.push(closer);
    this.#closerOf.set(name, closer);
    opening.catch(() => {
      this.#open.delete(name);
      const at = this.#closers.indexOf(closer);
      if (at !== -1) this.#closers.splice(at, 1);
    });
    return opening;
  }
}

function closeIt(resource: { close(): Promise<void> }): Promise<void> {
  return resource.close();
}

function closed(): FreshetError {
  return new FreshetError('STORE_CLOSED', 'the feature store is closed');
}

function isNotFound(thrown: unknown): boolean {
  return thrown instanceof FreshetError && thrown.code === 'STORE_NOT_FOUND';
}

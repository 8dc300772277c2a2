/**
 * Keeps the windows of every entity of one view, for the rows of one partition. The blocks that a
 * batch of rows changes are read together, changed in memory, and put into the batch; those of busy
 * entities stay in memory. What no read can reach any more is deleted as one range, or never written.
 */

import { assert } from '../core/assert.ts';
import { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { RowBatch } from '../core/row-batch.ts';
import { US_PER_MS } from '../core/time.ts';
import type { KvBatch } from '../kv/index.ts';
import {
  type EntityKeyCodec,
  entityKeyCodec,
  entityStateKey,
  type HomeFinder,
  homeFinder,
  type MapKey,
  type RowKeyer,
  SPACE,
  type StateStore,
  tilesKey,
} from '../state/index.ts';
import {
  applyRow,
  BLOCK_TILES,
  blockOf,
  decodeBlock,
  decodeHead,
  decodeSessions,
  encodeBlock,
  encodeHead,
  encodeSessions,
  firstReachableTile,
  planWindows,
  touchedTiles,
  type WindowGroup,
  type WindowPlan,
  type WindowRowReader,
  windowRowReader,
} from '../window/index.ts';
import { type CachedEntity, SESSIONS_BLOCK } from './cached-entity.ts';
import { claimView } from './claim-view.ts';
import { EntityCache } from './entity-cache.ts';
import type {
  RowUpserter,
  RowUpserterOptions,
  UpsertOrigin,
  UpsertResult,
} from './row-upserter.ts';
import { WindowEmitter } from './window-emitter.ts';

/** Blocks in memory: some hundred bytes each for plain aggregations, some kB with sketches. */
const CACHED_BLOCKS_MAX = 65_536;

export async function createWindowUpserter(options: RowUpserterOptions): Promise<RowUpserter> {
  const { state, view, layout, partitions } = options;
  const { windowing, streamSource } = view;
  assert(windowing !== null, `view "${view.name}" has no windows`);
  const keys = entityKeyCodec(view.joinKeys);
  const viewId = await claimView(options);
  const isStream =
    streamSource !== null && state.dictionary.sourceId(streamSource.name) === options.sourceId;
  const finder = isStream ? homeFinder(view, keys.names) : null;
  const home = finder === null ? null : await state.homes.ensure(viewId, partitions);
  const plan = planWindows(view, windowing);
  return new WindowUpserter({
    state,
    keys,
    keyer: keys.forRows(layout),
    plan,
    graceUs: view.graceUs,
    outOfOrderUs: isStream ? streamSource.outOfOrderMs * US_PER_MS : null,
    read: windowRowReader(view, windowing, plan, layout),
    viewId,
    sourceId: options.sourceId,
    partitions,
    cachedBlocksMax: options.cachedBlocksMax ?? CACHED_BLOCKS_MAX,
    finder: home === null || home.spread ? null : finder,
    emitter:
      windowing.emit === null || !isStream
        ? null
        : new WindowEmitter({ state, view, plan, viewId, sourceId: options.sourceId }),
  });
}

interface Compiled {
  readonly state: StateStore;
  readonly keys: EntityKeyCodec;
  readonly keyer: RowKeyer;
  readonly plan: WindowPlan;
  readonly graceUs: number;
  /** How far stream time stays behind the newest row; null for batch history, which has none. */
  readonly outOfOrderUs: number | null;
  readonly read: WindowRowReader;
  readonly viewId: number;
  readonly sourceId: number;
  readonly partitions: number;
  readonly cachedBlocksMax: number;
  /** Null when reads look into every partition anyway. */
  readonly finder: HomeFinder | null;
  /** Null for a view that sends nothing. */
  readonly emitter: WindowEmitter | null;
}

/** A value that a batch needs: the head of an entity, or a block. */
interface Missing {
  readonly entity: CachedEntity;
  /** Null for the head. */
  readonly group: WindowGroup | null;
  readonly block: number;
}

class WindowUpserter implements RowUpserter {
  readonly #compiled: Compiled;
  readonly #cache: EntityCache;
  readonly #out = new ByteWriter(4_096);
  /** By group: blocks below were deleted. */
  readonly #deletedBelow: number[] = [];
  #finder: HomeFinder | null;
  #into: KvBatch | null = null;
  readonly #emitter: WindowEmitter | null;

  constructor(compiled: Compiled) {
    this.#compiled = compiled;
    this.#cache = new EntityCache(
      compiled.plan.groups.length,
      compiled.cachedBlocksMax,
      compiled.emitter !== null,
    );
    this.#finder = compiled.finder;
    this.#emitter = compiled.emitter;
  }

  async upsert(rows: RowBatch, from: UpsertOrigin, into: KvBatch): Promise<UpsertResult> {
    const { plan, graceUs, read } = this.#compiled;
    const { lateByUs, firstNew = 0 } = from;
    const { passes, columns } = read(rows);
    const entities: (CachedEntity | null)[] = new Array(rows.count).fill(null);
    this.#cache.beginBatch(into !== this.#into);
    this.#into = into;
    let withoutKey = 0;
    for (let i = firstNew; i < rows.count; i++) {
      if (passes[i] === 0) continue;
      const key = this.#compiled.keyer.mapKey(rows, i);
      if (key === null) withoutKey++;
      else entities[i] = this.#entity(key, rows, i, from.partition, into);
    }
    await this.#emitter?.open(from.partition);
    const reachable = plan.groups.map((group) => this.#deleteOld(group, from, into));
    const firstTiles = reachable.map((block) => block * BLOCK_TILES);
    await this.#load(rows, entities, from.partition, reachable);
    this.#emitter?.begin(this.#cache.changed());
    const inOrder = { ...rows, rank: from.rank, partition: from.partition };
    let written = 0;
    for (let i = firstNew; i < rows.count; i++) {
      const entity = entities[i];
      if (entity === null || entity === undefined) continue;
      const late = lateByUs?.[i] ?? 0;
      const readFromUs = this.#readFromUs(rows.eventTimesUs[i] as number, late);
      if (applyRow(plan, graceUs, entity, columns, inOrder, i, late, firstTiles, readFromUs)) {
        written++;
      }
    }
    const results = await this.#emitter?.take(this.#cache, from, into);
    if (results !== undefined) for (const group of plan.groups) this.#deleteOld(group, from, into);
    this.#put(from.partition, into);
    this.#cache.trim();
    const stale = rows.count - firstNew - written - withoutKey;
    return { written, stale, withoutKey, ...(results !== undefined && { results }) };
  }

  /**
   * Stream time - grace as one row alone tells it, so that what is forgotten does not depend on how
   * rows are cut into batches. Where an entity's sessions are in several partitions, rows of one
   * may join sessions of another: then none is forgotten.
   */
  #readFromUs(eventTimeUs: number, lateByUs: number): number {
    const { outOfOrderUs, graceUs, partitions } = this.#compiled;
    const isWhole = this.#finder !== null || partitions === 1;
    if (outOfOrderUs === null || !isWhole) return Number.NEGATIVE_INFINITY;
    const streamTimeUs = eventTimeUs + (lateByUs > 0 ? lateByUs : -outOfOrderUs);
    return streamTimeUs - graceUs;
  }

  #entity(key: MapKey, rows: RowBatch, i: number, partition: number, into: KvBatch): CachedEntity {
    const found = this.#cache.find(key);
    if (found !== undefined) return found;
    const values = this.#compiled.keyer.values(rows, i);
    if (this.#finder !== null) this.#watchHome(this.#finder, values, partition, into);
    return this.#cache.add(key, this.#compiled.keys.encode(values));
  }

  /** The first entity outside its home partition spreads the view, in the same batch. */
  #watchHome(
    finder: HomeFinder,
    values: ReturnType<RowKeyer['values']>,
    partition: number,
    into: KvBatch,
  ): void {
    const { state, viewId, partitions } = this.#compiled;
    if (finder.homeOf(values, partitions) === partition) return;
    state.homes.markSpread(viewId, partitions, into);
    this.#finder = null;
  }

  /** Reads the heads of new entities, then the blocks that the rows touch and memory does not have. */
  async #load(
    rows: RowBatch,
    entities: readonly (CachedEntity | null)[],
    partition: number,
    reachable: readonly number[],
  ): Promise<void> {
    const heads = this.#cache.withoutHead();
    await this.#fetch(
      heads.map((entity) => ({ entity, group: null, block: 0 })),
      partition,
    );
    const missing: Missing[] = [];
    for (let i = 0; i < entities.length; i++) {
      const entity = entities[i];
      if (entity === null || entity === undefined) continue;
      for (const group of this.#compiled.plan.groups) {
        const first = reachable[group.index] as number;
        this.#findMissing(entity, group, rows.eventTimesUs[i] as number, first, missing);
      }
    }
    await this.#fetch(missing, partition);
  }

  #findMissing(
    entity: CachedEntity,
    group: WindowGroup,
    eventTimeUs: number,
    firstBlock: number,
    missing: Missing[],
  ): void {
    if (group.shape.kind === 'session') {
      if (entity.claim(group, SESSIONS_BLOCK))
        missing.push({ entity, group, block: SESSIONS_BLOCK });
      return;
    }
    const { first, last } = touchedTiles(group, eventTimeUs);
    for (let block = Math.max(firstBlock, blockOf(first)); block <= blockOf(last); block++) {
      if (entity.claim(group, block)) missing.push({ entity, group, block });
    }
  }

  async #fetch(missing: readonly Missing[], partition: number): Promise<void> {
    if (missing.length === 0) return;
    const stored = await this.#compiled.state.kv.getMany(
      missing.map(({ entity, group, block }) =>
        group === null
          ? this.#headKey(entity, partition)
          : this.#blockKey(entity, group, block, partition),
      ),
    );
    for (const [n, { entity, group, block }] of missing.entries()) {
      const bytes = stored[n];
      if (group === null) {
        entity.setHead(bytes === undefined ? null : decodeHead(new ByteReader(bytes)));
      } else if (bytes !== undefined) {
        const input = new ByteReader(bytes);
        if (block === SESSIONS_BLOCK && group.shape.kind === 'session') {
          entity.setSessions(group, decodeSessions(group, input));
        } else entity.setBlock(group, block, decodeBlock(group, input));
      }
    }
  }

  #put(partition: number, into: KvBatch): void {
    const { groups } = this.#compiled.plan;
    for (const entity of this.#cache.changed()) {
      if (entity.head !== null) {
        encodeHead(entity.head, this.#reset());
        into.put(this.#headKey(entity, partition), this.#out.toBytes());
      }
      for (const group of groups) {
        for (const block of entity.takeChanged(group)) {
          if (group.shape.kind === 'session') {
            encodeSessions(group, entity.sessions(group), this.#reset());
          } else encodeBlock(group, entity.block(group, block) ?? [], this.#reset());
          into.put(this.#blockKey(entity, group, block, partition), this.#out.toBytes());
        }
      }
    }
  }

  /** Deletes what no read can reach; answers with the first block that one can. */
  #deleteOld(
    group: WindowGroup,
    { streamTimeUs = null, partition }: UpsertOrigin,
    into: KvBatch,
  ): number {
    const tile = streamTimeUs === null ? null : firstReachableTile(group, streamTimeUs);
    if (tile === null) return Number.NEGATIVE_INFINITY;
    const unsent = this.#emitter?.firstUnsentTile(group) ?? null;
    const below = Math.floor((unsent === null ? tile : Math.min(tile, unsent)) / BLOCK_TILES);
    const before = this.#deletedBelow[group.index] ?? Number.MIN_SAFE_INTEGER;
    if (below > before) {
      const { sourceId, viewId } = this.#compiled;
      const place = { viewId, group: group.index };
      const none = new Uint8Array(0);
      into.deleteRange(
        tilesKey(sourceId, partition, place, before, none),
        tilesKey(sourceId, partition, place, below, none),
      );
      this.#deletedBelow[group.index] = below;
      this.#cache.dropBelow(group, below);
    }
    return below;
  }

  #reset(): ByteWriter {
    this.#out.reset();
    return this.#out;
  }

  #headKey(entity: CachedEntity, partition: number): Uint8Array {
    const { sourceId, viewId } = this.#compiled;
    return entityStateKey(sourceId, partition, SPACE.head, viewId, entity.key);
  }

  #blockKey(
    entity: CachedEntity,
    group: WindowGroup,
    block: number,
    partition: number,
  ): Uint8Array {
    const { sourceId, viewId } = this.#compiled;
    return tilesKey(sourceId, partition, { viewId, group: group.index }, block, entity.key);
  }
}

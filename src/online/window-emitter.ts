/**
 * Results of windows that end. A tumbling or hopping window is closed once its end is at or behind
 * stream time - grace: no row that counts can change it any more; of sessions see `SessionEmitter`.
 * How far windows were sent is written with the state that they came from, so that each is sent once;
 * a replay does not send it again.
 */
import { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { FieldValue } from '../core/field-type.ts';
import type { FeatureView } from '../definition/index.ts';
import type { KvBatch } from '../kv/index.ts';
import {
  type EntityKeyCodec,
  entityKeyCodec,
  entityStateKey,
  SPACE,
  type StateStore,
  tilesKey,
  tilesPlaceOf,
} from '../state/index.ts';
import {
  BLOCK_TILES,
  blockOf,
  decodeBlock,
  finalAfterUs,
  type Session,
  type Tile,
  type WindowGroup,
  type WindowPlan,
  type WindowRead,
} from '../window/index.ts';
import type { CachedEntity } from './cached-entity.ts';
import type { EntityCache } from './entity-cache.ts';
import type { UpsertOrigin } from './row-upserter.ts';
import { SessionEmitter } from './session-emitter.ts';
import type { WindowResult } from './window-results.ts';

export interface WindowEmitterOptions {
  readonly state: StateStore;
  readonly view: FeatureView;
  readonly plan: WindowPlan;
  readonly viewId: number;
  readonly sourceId: number;
}

const NO_ENTITY = new Uint8Array(0);

export class WindowEmitter {
  readonly #options: WindowEmitterOptions;
  readonly #keys: EntityKeyCodec;
  /** Positions of the view's join keys among the values of an entity key. */
  readonly #places: readonly number[];
  /** By group of the plan; undefined for groups without sessions. */
  readonly #sessions: readonly (SessionEmitter | undefined)[];
  /** Windows that ended at or before this were sent; null before the first. */
  #closedUs: number | null = null;
  #isOpen = false;

  constructor(options: WindowEmitterOptions) {
    this.#options = options;
    this.#keys = entityKeyCodec(options.view.joinKeys);
    this.#places = Object.keys(options.view.joinKeys).map((key) => this.#keys.names.indexOf(key));
    this.#sessions = options.plan.groups.map((group) =>
      group.shape.kind === 'session'
        ? new SessionEmitter(options, group, group.shape.gapUs)
        : undefined,
    );
  }

  /** Reads how far windows were sent, once. */
  async open(partition: number): Promise<void> {
    if (this.#isOpen) return;
    const bytes = await this.#options.state.kv.get(this.#emittedKey(partition));
    this.#closedUs = bytes === undefined ? null : new ByteReader(bytes).f64();
    this.#isOpen = true;
  }

  /** Before a batch of rows is applied to these entities, whose windows are in memory. */
  begin(entities: readonly CachedEntity[]): void {
    for (const sessions of this.#sessions) sessions?.begin(entities);
  }

  /** The first tile of a group that was not sent; null where none is to be sent. */
  firstUnsentTile(group: WindowGroup): number | null {
    if (group.shape.kind !== 'aligned') return null;
    if (this.#closedUs === null) return Number.NEGATIVE_INFINITY;
    return lastEnded(group.shape, this.#closedUs) + 1;
  }

  /** What the batch closed and, where updates are sent, what it changed; after its rows are applied. */
  async take(
    entities: EntityCache,
    { partition, streamTimeUs = null }: UpsertOrigin,
    into: KvBatch,
  ): Promise<WindowResult[]> {
    const { plan, view } = this.#options;
    const before = this.#closedUs ?? Number.NEGATIVE_INFINITY;
    const closedUs = streamTimeUs === null ? before : Math.max(before, streamTimeUs - view.graceUs);
    const withUpdates = view.windowing?.emit?.mode === 'updates';
    const changed = entities.changed();
    const results: WindowResult[] = [];
    for (const group of plan.groups) {
      const sessions = this.#sessions[group.index];
      const batch = { partition, sentBeforeUs: before, closedUs, withUpdates, into };
      await sessions?.take(entities.unwritten(), batch, (entityKey, session, isFinal) => {
        this.#addSession(group, entityKey, session, isFinal, results);
      });
      const touched = changed.map((entity) => entity.takeTouched(group));
      if (group.shape.kind !== 'aligned') continue;
      if (withUpdates) this.#addUpdates(group, changed, touched, closedUs, results);
      if (closedUs > before) {
        await this.#addFinals(group, entities.unwritten(), partition, closedUs, results);
      }
    }
    if (closedUs > before) {
      this.#closedUs = closedUs;
      const out = new ByteWriter(8);
      out.f64(closedUs);
      into.put(this.#emittedKey(partition), out.toBytes());
    }
    return results.sort((a, b) => a.endUs - b.endUs);
  }

  #addUpdates(
    group: WindowGroup,
    changed: readonly CachedEntity[],
    touched: readonly (readonly number[])[],
    closedUs: number,
    results: WindowResult[],
  ): void {
    const closed = group.shape.kind === 'aligned' ? lastEnded(group.shape, closedUs) : 0;
    for (const [e, entity] of changed.entries()) {
      for (const index of touched[e] ?? []) {
        const tile = entity.tile(group, index);
        if (index > closed && tile !== undefined) {
          this.#addWindow(group, entity.key, index, tile, false, results);
        }
      }
    }
  }

  /** Entities that the store has otherwise as they are now, all others as they are stored. */
  async #addFinals(
    group: WindowGroup,
    unwritten: ReadonlySet<CachedEntity>,
    partition: number,
    closedUs: number,
    results: WindowResult[],
  ): Promise<void> {
    if (group.shape.kind !== 'aligned') return;
    const { state, sourceId, viewId } = this.#options;
    const first = this.firstUnsentTile(group) as number;
    const last = lastEnded(group.shape, closedUs);
    if (last < first) return;
    const addBlock = (
      entityKey: Uint8Array,
      block: number,
      tiles: readonly (Tile | undefined)[],
    ) => {
      for (const [place, tile] of tiles.entries()) {
        const index = block * BLOCK_TILES + place;
        if (tile === undefined || index < first || index > last) continue;
        this.#addWindow(group, entityKey, index, tile, true, results);
      }
    };
    const inMemory = new Map<string, CachedEntity>();
    for (const entity of unwritten) {
      inMemory.set(textOf(entity.key), entity);
      for (const [block, tiles] of entity.blocks(group)) addBlock(entity.key, block, tiles);
    }
    const place = { viewId, group: group.index };
    const firstBlock = Number.isFinite(first) ? blockOf(first) : Number.MIN_SAFE_INTEGER;
    const range = {
      gte: tilesKey(sourceId, partition, place, firstBlock, NO_ENTITY),
      lt: tilesKey(sourceId, partition, place, blockOf(last) + 1, NO_ENTITY),
    };
    for await (const page of state.kv.scan(range)) {
      for (const [key, value] of page) {
        const { block, entityKey } = tilesPlaceOf(key);
        if (inMemory.get(textOf(entityKey))?.block(group, block) !== undefined) continue;
        addBlock(entityKey, block, decodeBlock(group, new ByteReader(value)));
      }
    }
  }

  #addWindow(
    group: WindowGroup,
    entityKey: Uint8Array,
    index: number,
    tile: Tile,
    isFinal: boolean,
    results: WindowResult[],
  ): void {
    const { shape } = group;
    if (shape.kind !== 'aligned') return;
    const startUs = index * shape.everyUs + shape.offsetUs;
    const endUs = startUs + shape.sizeUs;
    const availableAtUs = endUs + this.#options.view.graceUs;
    this.#add(group, entityKey, { startUs, endUs, availableAtUs, isFinal }, tile, results);
  }

  #addSession(
    group: WindowGroup,
    entityKey: Uint8Array,
    session: Session,
    isFinal: boolean,
    results: WindowResult[],
  ): void {
    const { shape } = group;
    if (shape.kind !== 'session') return;
    const { startUs, endUs, tile } = session;
    const availableAtUs = finalAfterUs(session, shape.gapUs) + this.#options.view.graceUs;
    this.#add(group, entityKey, { startUs, endUs, availableAtUs, isFinal }, tile, results);
  }

  #add(
    group: WindowGroup,
    entityKey: Uint8Array,
    bounds: Pick<WindowResult, 'startUs' | 'endUs' | 'availableAtUs' | 'isFinal'>,
    tile: Tile,
    results: WindowResult[],
  ): void {
    const { plan } = this.#options;
    const decoded = this.#keys.decode(entityKey);
    const keys = this.#places.map((place) => decoded[place] as FieldValue);
    const reads = plan.reads.filter((read) => read.group === group);
    const label = (reads[0] as WindowRead).window.label;
    const values = new Map<string, FieldValue>();
    for (const { feature, slot } of reads.flatMap(({ outputs }) => outputs)) {
      const { aggregator } = group.slots[slot] as WindowGroup['slots'][number];
      values.set(feature, aggregator.finalize(tile.irs[slot], bounds.endUs));
    }
    results.push({ keys, label, ...bounds, values });
  }

  #emittedKey(partition: number): Uint8Array {
    const { sourceId, viewId } = this.#options;
    return entityStateKey(sourceId, partition, SPACE.emitted, viewId, NO_ENTITY);
  }
}

/** The last window that ends at or before a time. */
function lastEnded(
  { sizeUs, everyUs, offsetUs }: { sizeUs: number; everyUs: number; offsetUs: number },
  timeUs: number,
): number {
  return Math.floor((timeUs - offsetUs - sizeUs) / everyUs);
}

function textOf(entityKey: Uint8Array): string {
  return Buffer.from(entityKey.buffer, entityKey.byteOffset, entityKey.byteLength).toString(
    'latin1',
  );
}

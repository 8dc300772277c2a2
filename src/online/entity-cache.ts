import type { MapKey } from '../state/index.ts';
import type { WindowGroup } from '../window/index.ts';
import { CachedEntity } from './cached-entity.ts';

/** Entities whose windows are in memory, the least recently used first to go. */
export class EntityCache {
  readonly #groups: number;
  readonly #notesChanges: boolean;
  readonly #blocksMax: number;
  readonly #entities = new Map<MapKey, CachedEntity>();
  #batch = 0;
  /** Entities of this batch or a later one have changes that are not written yet. */
  #unwrittenFrom = 0;
  #used: CachedEntity[] = [];
  /** Those of the batches since then. */
  #unwritten = new Set<CachedEntity>();

  /** `notesChanges`: entities tell what of them changed. */
  constructor(groups: number, blocksMax: number, notesChanges = false) {
    this.#groups = groups;
    this.#notesChanges = notesChanges;
    this.#blocksMax = blocksMax;
  }

  /** `isWritten`: what earlier batches changed is in the store. */
  beginBatch(isWritten: boolean): void {
    this.#batch++;
    if (isWritten) {
      this.#unwrittenFrom = this.#batch;
      this.#unwritten = new Set();
    }
    this.#used = [];
  }

  find(key: MapKey): CachedEntity | undefined {
    const entity = this.#entities.get(key);
    if (entity === undefined || entity.batch === this.#batch) return entity;
    this.#entities.delete(key); // to the end: the most recently used
    this.#entities.set(key, entity);
    this.#use(entity);
    return entity;
  }

  add(key: MapKey, entityKey: Uint8Array): CachedEntity {
    const entity = new CachedEntity(entityKey, this.#groups, this.#notesChanges);
    this.#entities.set(key, entity);
    this.#use(entity);
    return entity;
  }

  /** Entities of this batch of which nothing was read yet. */
  withoutHead(): CachedEntity[] {
    return this.#used.filter((entity) => !entity.isLoaded);
  }

  /** Entities of this batch. */
  changed(): readonly CachedEntity[] {
    return this.#used;
  }

  /** Entities that the store may have otherwise: those of this batch, and of earlier ones not written. */
  unwritten(): ReadonlySet<CachedEntity> {
    return this.#unwritten;
  }

  dropBelow(group: WindowGroup, block: number): void {
    for (const entity of this.#entities.values()) entity.dropBelow(group, block);
  }

  /** Forgets entities until the bound holds; those with changes that are not written yet stay. */
  trim(): void {
    let blocks = 0;
    for (const entity of this.#entities.values()) blocks += entity.blockCount;
    for (const [key, entity] of this.#entities) {
      if (blocks <= this.#blocksMax || entity.batch >= this.#unwrittenFrom) return;
      blocks -= entity.blockCount;
      this.#entities.delete(key);
    }
  }

  #use(entity: CachedEntity): void {
    entity.batch = this.#batch;
    this.#used.push(entity);
    this.#unwritten.add(entity);
  }
}

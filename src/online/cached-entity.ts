import {
  blockOf,
  type ChangingWindows,
  createTile,
  forgetSessions,
  type Head,
  placeOf,
  type Session,
  type Sessions,
  type Tile,
  type TileBlock,
  type TileRange,
  touchedTiles,
  type WindowGroup,
} from '../window/index.ts';

/** Where a session group keeps its sessions. */
export const SESSIONS_BLOCK = 0;

/** The windows of one entity as far as they are in memory, and which of them have changed. */
export class CachedEntity implements ChangingWindows {
  readonly key: Uint8Array;
  /** The batch that used it last. */
  batch = 0;
  isLoaded = false;
  #head: Head | null = null;
  readonly #blocks: readonly Map<number, TileBlock>[];
  readonly #sessions: (Sessions | undefined)[] = [];
  readonly #changed: readonly Set<number>[];
  /** By group, tiles that changed since they were last taken; empty where nobody takes them. */
  readonly #touched: readonly Set<number>[];
  /** By group, sessions that were forgotten since they were last taken; empty where nobody does. */
  readonly #forgotten: readonly Session[][];
  /** Nothing newer is stored, so nothing newer needs to be looked for. */
  #storedHead: Head | null = null;

  constructor(key: Uint8Array, groups: number, notesChanges: boolean) {
    this.key = key;
    this.#blocks = Array.from({ length: groups }, () => new Map());
    this.#changed = Array.from({ length: groups }, () => new Set());
    const noted = notesChanges ? groups : 0;
    this.#touched = Array.from({ length: noted }, () => new Set<number>());
    this.#forgotten = Array.from({ length: noted }, () => []);
  }

  get head(): Head | null {
    return this.#head;
  }

  set head(head: Head | null) {
    this.#head = head;
  }

  /** Values in memory: the head, and by group its blocks or its sessions. */
  get blockCount(): number {
    const sessions = this.#sessions.filter((held) => held !== undefined).length;
    return this.#blocks.reduce((sum, { size }) => sum + size, 1 + sessions);
  }

  /** The head as it is stored. */
  setHead(head: Head | null): void {
    this.#head = head;
    this.#storedHead = head;
    this.isLoaded = true;
  }

  setBlock(group: WindowGroup, block: number, tiles: TileBlock): void {
    this.#blocks[group.index]?.set(block, tiles);
  }

  setSessions(group: WindowGroup, sessions: Sessions): void {
    this.#sessions[group.index] = sessions;
  }

  /** The blocks of a group that are in memory. */
  blocks(group: WindowGroup): ReadonlyMap<number, TileBlock> {
    return this.#blocks[group.index] as Map<number, TileBlock>;
  }

  block(group: WindowGroup, block: number): TileBlock | undefined {
    return this.#blocks[group.index]?.get(block);
  }

  /**
   * Makes room for a block (or for sessions) that is not in memory, and answers whether it may be in
   * the store.
   */
  claim(group: WindowGroup, block: number): boolean {
    if (group.shape.kind === 'session') {
      if (this.#sessions[group.index] !== undefined) return false;
      this.#sessions[group.index] = [];
      return this.#storedHead !== null;
    }
    const blocks = this.#blocks[group.index] as Map<number, TileBlock>;
    if (blocks.has(block)) return false;
    blocks.set(block, []);
    return this.#storedHead !== null && block <= newestBlock(group, this.#storedHead);
  }

  tile(group: WindowGroup, index: number): Tile | undefined {
    return this.block(group, blockOf(index))?.[placeOf(index)];
  }

  collectIrs(group: WindowGroup, { first, last }: TileRange, into: (readonly unknown[])[]): void {
    for (let index = first; index <= last; index++) {
      const tile = this.tile(group, index);
      if (tile !== undefined) into.push(tile.irs);
    }
  }

  tileForUpdate(group: WindowGroup, index: number): Tile {
    const block = blockOf(index);
    const blocks = this.#blocks[group.index] as Map<number, TileBlock>;
    let tiles = blocks.get(block);
    if (tiles === undefined) {
      tiles = [];
      blocks.set(block, tiles);
    }
    this.#changed[group.index]?.add(block);
    this.#touched[group.index]?.add(index);
    const place = placeOf(index);
    const tile = tiles[place] ?? createTile(group);
    tiles[place] = tile;
    return tile;
  }

  sessions(group: WindowGroup): Sessions {
    return this.#sessions[group.index] ?? [];
  }

  sessionsForUpdate(group: WindowGroup): Sessions {
    this.#changed[group.index]?.add(SESSIONS_BLOCK);
    this.#sessions[group.index] ??= [];
    return this.#sessions[group.index] as Sessions;
  }

  forgetSessions(group: WindowGroup, gapUs: number, readFromUs: number): void {
    const forgotten = forgetSessions(this.sessions(group), gapUs, readFromUs);
    if (forgotten.length > 0) this.#forgotten[group.index]?.push(...forgotten);
  }

  /** Blocks that have changed since they were last taken. */
  takeChanged(group: WindowGroup): number[] {
    const changed = this.#changed[group.index] as Set<number>;
    const blocks = [...changed];
    changed.clear();
    this.#storedHead = this.#head;
    return blocks;
  }

  takeTouched(group: WindowGroup): number[] {
    const touched = this.#touched[group.index];
    const tiles = [...(touched ?? [])];
    touched?.clear();
    return tiles;
  }

  takeForgotten(group: WindowGroup): Session[] {
    return this.#forgotten[group.index]?.splice(0) ?? [];
  }

  dropBelow(group: WindowGroup, block: number): void {
    const blocks = this.#blocks[group.index] as Map<number, TileBlock>;
    for (const key of blocks.keys()) if (key < block) blocks.delete(key);
  }
}

function newestBlock(group: WindowGroup, { newestUs }: Head): number {
  return blockOf(touchedTiles(group, newestUs).last);
}

import {
  BLOCK_TILES,
  type EntityWindows,
  type Head,
  joinSession,
  mergeTile,
  type Sessions,
  type Tile,
  type TileBlock,
  type TileRange,
  type WindowGroup,
} from '../window/index.ts';

/** The windows of one entity as they were read; what is in several partitions is merged. */
export class StoredWindows implements EntityWindows {
  head: Head | null = null;
  /** By group: blocks by number; a few, so that they are looked through. */
  readonly #blocks: StoredBlock[][] = [];
  readonly #sessions: Sessions[] = [];

  addHead({ oldestUs, newestUs }: Head): void {
    this.head = {
      oldestUs: Math.min(oldestUs, this.head?.oldestUs ?? Number.POSITIVE_INFINITY),
      newestUs: Math.max(newestUs, this.head?.newestUs ?? Number.NEGATIVE_INFINITY),
    };
  }

  /** The block becomes a part of the windows, and may change with them. */
  addBlock(group: WindowGroup, block: number, tiles: TileBlock): void {
    this.#blocks[group.index] ??= [];
    const blocks = this.#blocks[group.index] as StoredBlock[];
    const known = blocks.find(({ first }) => first === block * BLOCK_TILES);
    if (known === undefined) blocks.push({ first: block * BLOCK_TILES, tiles });
    else mergeBlock(group, known.tiles, tiles);
  }

  addSessions(group: WindowGroup, gapUs: number, sessions: Sessions): void {
    const known = this.#sessions[group.index];
    if (known === undefined) this.#sessions[group.index] = sessions;
    else for (const session of sessions) joinSession(group, gapUs, known, session);
  }

  tile(group: WindowGroup, index: number): Tile | undefined {
    for (const { first, tiles } of this.#blocks[group.index] ?? []) {
      if (index >= first && index < first + BLOCK_TILES) return tiles[index - first];
    }
    return undefined;
  }

  collectIrs(group: WindowGroup, range: TileRange, into: (readonly unknown[])[]): void {
    for (const { first, tiles } of this.#blocks[group.index] ?? []) {
      const end = Math.min(tiles.length, range.last + 1 - first);
      for (let place = Math.max(0, range.first - first); place < end; place++) {
        const tile = tiles[place];
        if (tile !== undefined) into.push(tile.irs);
      }
    }
  }

  sessions(group: WindowGroup): Sessions {
    return this.#sessions[group.index] ?? [];
  }
}

interface StoredBlock {
  /** The tile at place 0. */
  readonly first: number;
  readonly tiles: TileBlock;
}

function mergeBlock(group: WindowGroup, into: TileBlock, from: TileBlock): void {
  for (const [place, tile] of from.entries()) {
    if (tile === undefined) continue;
    const known = into[place];
    if (known === undefined) into[place] = tile;
    else mergeTile(group, known, tile);
  }
}

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
  readonly #tiles: Map<number, Tile>[] = [];
  readonly #sessions: Sessions[] = [];

  addHead({ oldestUs, newestUs }: Head): void {
    this.head = {
      oldestUs: Math.min(oldestUs, this.head?.oldestUs ?? Number.POSITIVE_INFINITY),
      newestUs: Math.max(newestUs, this.head?.newestUs ?? Number.NEGATIVE_INFINITY),
    };
  }

  addBlock(group: WindowGroup, block: number, tiles: TileBlock): void {
    this.#tiles[group.index] ??= new Map();
    const known = this.#tiles[group.index] as Map<number, Tile>;
    for (const [place, tile] of tiles.entries()) {
      if (tile === undefined) continue;
      const index = block * BLOCK_TILES + place;
      const other = known.get(index);
      if (other === undefined) known.set(index, tile);
      else mergeTile(group, other, tile);
    }
  }

  addSessions(group: WindowGroup, gapUs: number, sessions: Sessions): void {
    const known = this.#sessions[group.index];
    if (known === undefined) this.#sessions[group.index] = sessions;
    else for (const session of sessions) joinSession(group, gapUs, known, session);
  }

  tile(group: WindowGroup, index: number): Tile | undefined {
    return this.#tiles[group.index]?.get(index);
  }

  collectIrs(group: WindowGroup, range: TileRange, into: (readonly unknown[])[]): void {
    for (const [index, { irs }] of this.#tiles[group.index] ?? []) {
      if (index >= range.first && index <= range.last) into.push(irs);
    }
  }

  sessions(group: WindowGroup): Sessions {
    return this.#sessions[group.index] ?? [];
  }
}

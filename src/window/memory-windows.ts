/**
 * Windows that live in memory alone, for reads that follow one another in time: runs of tiles are
 * merged in pairs, pairs of pairs and so on, once, so that a window is a dozen merges in place of a
 * hundred.
 */
import type { ChangingWindows, Head } from './entity-windows.ts';
import type { TileRange } from './in-window.ts';
import { forgetSessions, type Sessions } from './sessions.ts';
import { createTile, mergeIrs, type Tile } from './tile.ts';
import type { WindowGroup } from './window-plan.ts';

export class MemoryWindows implements ChangingWindows {
  head: Head | null = null;
  readonly #groups: GroupTiles[] = [];
  readonly #sessions: Sessions[] = [];

  tile(group: WindowGroup, index: number): Tile | undefined {
    return this.#of(group).tile(index);
  }

  collectIrs(group: WindowGroup, range: TileRange, into: (readonly unknown[])[]): void {
    this.#of(group).collect(range, into);
  }

  tileForUpdate(group: WindowGroup, index: number): Tile {
    return this.#of(group).forUpdate(index);
  }

  sessions(group: WindowGroup): Sessions {
    return this.#sessions[group.index] ?? [];
  }

  sessionsForUpdate(group: WindowGroup): Sessions {
    this.#sessions[group.index] ??= [];
    return this.#sessions[group.index] as Sessions;
  }

  forgetSessions(group: WindowGroup, gapUs: number, readFromUs: number): void {
    forgetSessions(this.sessions(group), gapUs, readFromUs);
  }

  /** Forgets the tiles of a group below `index`. */
  dropBelow(group: WindowGroup, index: number): void {
    this.#of(group).dropBelow(index);
  }

  #of(group: WindowGroup): GroupTiles {
    const known = this.#groups[group.index];
    if (known !== undefined) return known;
    const made = new GroupTiles(group);
    this.#groups[group.index] = made;
    return made;
  }
}

/** The levels of runs: level l has runs of 2^l tiles. A window has some 170 tiles at most. */
const LEVELS = 7;
const RUN_TILES = Array.from({ length: LEVELS + 1 }, (_, level) => 2 ** level);

/** A run is merged once it was wanted so often: reads that lie far apart share none. */
const ASKS_MIN = 3;

/** The tiles of one group that have rows, and what was merged of them. */
class GroupTiles {
  readonly #group: WindowGroup;
  /** Rising. */
  readonly #indexes: number[] = [];
  /** Beside `#indexes`. */
  readonly #tiles: Tile[] = [];
  /** By level: the IRs of a run, or how often it was asked for. */
  readonly #runs: Map<number, readonly unknown[] | number>[];
  /** No tile above this is in a run that was merged. */
  #mergedUpTo = Number.NEGATIVE_INFINITY;

  constructor(group: WindowGroup) {
    this.#group = group;
    this.#runs = RUN_TILES.map(() => new Map());
  }

  tile(index: number): Tile | undefined {
    const place = this.#placeOf(index);
    return this.#indexes[place] === index ? this.#tiles[place] : undefined;
  }

  forUpdate(index: number): Tile {
    if (index <= this.#mergedUpTo) this.#forgetRuns(index);
    const place = this.#placeOf(index);
    const known = this.#tiles[place];
    if (known !== undefined && this.#indexes[place] === index) return known;
    const tile = createTile(this.#group);
    this.#indexes.splice(place, 0, index);
    this.#tiles.splice(place, 0, tile);
    return tile;
  }

  /** The largest runs that lie in the range, and tiles where none is merged. */
  collect({ first, last }: TileRange, into: (readonly unknown[])[]): void {
    const indexes = this.#indexes;
    let from = first;
    for (let place = this.#placeOf(first); place < indexes.length; ) {
      const index = indexes[place] as number;
      if (index > last) return;
      const level = this.#levelAt(index, from, last);
      if (level === 0) {
        into.push((this.#tiles[place] as Tile).irs);
        from = index + 1;
        place++;
        continue;
      }
      const run = Math.floor(index / (RUN_TILES[level] as number));
      into.push(this.#runs[level]?.get(run) as readonly unknown[]);
      from = (run + 1) * (RUN_TILES[level] as number);
      while (place < indexes.length && (indexes[place] as number) < from) place++;
    }
  }

  dropBelow(index: number): void {
    const place = this.#placeOf(index);
    if (place === 0) return;
    this.#indexes.splice(0, place);
    this.#tiles.splice(0, place);
    for (const [level, runs] of this.#runs.entries()) {
      const below = index / (RUN_TILES[level] as number);
      for (const run of runs.keys()) if (run < below) runs.delete(run);
    }
  }

  /** The level of the largest run within `from` to `last` that holds a tile and is merged; 0: the tile alone. */
  #levelAt(index: number, from: number, last: number): number {
    let level = 0;
    // The last tile stays single: it is the one that the next rows change.
    while (level < LEVELS) {
      const tiles = RUN_TILES[level + 1] as number;
      const start = Math.floor(index / tiles) * tiles;
      if (start < from || start + tiles > last) break;
      level++;
    }
    while (level > 0 && !this.#isMerged(level, index)) level--;
    return level;
  }

  /** Merges the run when it was asked for often enough. */
  #isMerged(level: number, index: number): boolean {
    const runs = this.#runs[level] as Map<number, readonly unknown[] | number>;
    const run = Math.floor(index / (RUN_TILES[level] as number));
    const known = runs.get(run);
    if (typeof known === 'object') return true;
    const asks = (known ?? 0) + 1;
    if (asks >= ASKS_MIN) this.#merge(level, run);
    else runs.set(run, asks);
    return asks >= ASKS_MIN;
  }

  #merge(level: number, run: number): readonly unknown[] {
    if (level === 0) return this.tile(run)?.irs ?? NO_IRS;
    const runs = this.#runs[level] as Map<number, readonly unknown[] | number>;
    const known = runs.get(run);
    if (typeof known === 'object') return known;
    const left = this.#merge(level - 1, run * 2);
    const right = this.#merge(level - 1, run * 2 + 1);
    const irs = left.length === 0 ? right : right.length === 0 ? left : this.#joined(left, right);
    runs.set(run, irs);
    this.#mergedUpTo = Math.max(this.#mergedUpTo, (run + 1) * (RUN_TILES[level] as number) - 1);
    return irs;
  }

  #joined(left: readonly unknown[], right: readonly unknown[]): readonly unknown[] {
    const irs = this.#group.slots.map(({ aggregator }) => aggregator.create());
    mergeIrs(this.#group, irs, left);
    mergeIrs(this.#group, irs, right);
    return irs;
  }

  #forgetRuns(index: number): void {
    for (let level = 1; level <= LEVELS; level++) {
      this.#runs[level]?.delete(Math.floor(index / (RUN_TILES[level] as number)));
    }
  }

  /** Where a tile is, or would be: mostly at the end. */
  #placeOf(index: number): number {
    const indexes = this.#indexes;
    let high = indexes.length;
    if (high === 0 || (indexes[high - 1] as number) < index) return high;
    if (indexes[high - 1] === index) return high - 1;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((indexes[middle] as number) < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const NO_IRS: readonly unknown[] = [];

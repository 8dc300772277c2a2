import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/core/bytes.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import type { Windowing } from '../../src/definition/index.ts';
import { planWindows, type WindowGroup, windowRowReader } from '../../src/window/index.ts';
import { createTile, mergeTile, type Tile, updateTile } from '../../src/window/tile.ts';
import { blockOf, decodeBlock, encodeBlock, placeOf } from '../../src/window/tile-block.ts';
import { makeRows } from '../online/make-rows.ts';
import { COLUMNS, everyWindow, fieldsOf, generateStream, generator, seeds } from './streams.ts';

const view = everyWindow({ keyed: true, partitions: 1 });
const plan = planWindows(view, view.windowing as Windowing);
const read = windowRowReader(view, view.windowing as Windowing, plan, rowLayout(COLUMNS));

/** Tiles of rows that were dealt to them by chance. */
function dealt(group: WindowGroup, seed: number, count: number, random: () => number): Tile[] {
  const rows = makeRows(COLUMNS, generateStream({ seed, count: 40 }).map(fieldsOf));
  const columns = read(rows).columns[group.index]!;
  const inOrder = { ...rows, rank: RANK_STREAM, partition: 0 } as const;
  const tiles = Array.from({ length: count }, () => createTile(group));
  for (let i = 0; i < rows.count; i++) {
    updateTile(group, tiles[Math.floor(random() * count)] as Tile, columns, inOrder, i);
  }
  return tiles;
}

function bytesOf(group: WindowGroup, tile: Tile): Uint8Array {
  const out = new ByteWriter();
  encodeBlock(group, [tile], out);
  return out.toBytes();
}

function merged(group: WindowGroup, tiles: readonly Tile[]): Tile {
  const into = createTile(group);
  for (const tile of tiles) mergeTile(group, into, tile);
  return into;
}

describe.each(plan.groups.map((group) => ({ shape: group.shape, group })))(
  'tiles of $shape.kind windows',
  ({ group }) => {
    it('merge to the same bytes however rows were dealt and tiles are put together', () => {
      for (const seed of seeds(10)) {
        const random = generator(seed);
        const one = merged(group, dealt(group, seed, 1, random));
        const tiles = dealt(group, seed, 5, random);
        const [a, b, c, d, e] = tiles as [Tile, Tile, Tile, Tile, Tile];
        const right = merged(group, [a, merged(group, [b, merged(group, [c, d])]), e]);
        const left = merged(group, [merged(group, [e, d]), merged(group, [b, a]), c]);
        expect(bytesOf(group, left), `seed ${seed}`).toEqual(bytesOf(group, one));
        expect(bytesOf(group, right), `seed ${seed}`).toEqual(bytesOf(group, one));
      }
    });

    it('leave the tile that is merged as it was, and read back as they were written', () => {
      for (const seed of seeds(5)) {
        const [a, b] = dealt(group, seed, 2, generator(seed)) as [Tile, Tile];
        const before = bytesOf(group, b);
        mergeTile(group, a, b);
        expect(bytesOf(group, b)).toEqual(before);
        const [again] = decodeBlock(group, new ByteReader(before));
        expect(bytesOf(group, again as Tile)).toEqual(before);
      }
    });
  },
);

describe('blocks', () => {
  it('hold tiles before 1970, too', () => {
    for (const tile of [-33, -17, -16, -1, 0, 15, 16, 1_000_000_007]) {
      expect(blockOf(tile) * 16 + placeOf(tile)).toBe(tile);
      expect(placeOf(tile)).toBeGreaterThanOrEqual(0);
    }
  });
});

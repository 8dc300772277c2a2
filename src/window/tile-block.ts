/**
 * Tiles that are stored together: consecutive ones of one entity and group, so that a read of a long
 * window is a few values and a write is no more than what changed in a short one.
 *
 * ```
 * block := tile*            tile of a block := place u8 | tile          by rising place
 * head  := oldest f64 | newest f64
 * ```
 * A session group has one block, its sessions. Place p of block b is tile `b × 16 + p`.
 */
import type { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { Head } from './entity-windows.ts';
import { decodeTile, encodeTile, type Tile } from './tile.ts';
import type { WindowGroup } from './window-plan.ts';

/** Tiles a block. */
export const BLOCK_TILES = 16;

/** By place; a tile without rows is absent. */
export type TileBlock = (Tile | undefined)[];

export function blockOf(tile: number): number {
  return Math.floor(tile / BLOCK_TILES);
}

export function placeOf(tile: number): number {
  return tile - blockOf(tile) * BLOCK_TILES;
}

export function encodeBlock(group: WindowGroup, block: TileBlock, out: ByteWriter): void {
  for (let place = 0; place < block.length; place++) {
    const tile = block[place];
    if (tile === undefined) continue;
    out.u8(place);
    encodeTile(group, tile, out);
  }
}

export function decodeBlock(
  group: WindowGroup,
  input: ByteReader,
  wanted?: readonly boolean[],
): TileBlock {
  const block: TileBlock = [];
  while (!input.done) {
    const place = input.u8();
    block[place] = decodeTile(group, input, wanted);
  }
  return block;
}

export function encodeHead(head: Head, out: ByteWriter): void {
  out.f64(head.oldestUs);
  out.f64(head.newestUs);
}

export function decodeHead(input: ByteReader): Head {
  return { oldestUs: input.f64(), newestUs: input.f64() };
}

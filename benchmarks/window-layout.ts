/**
 * How many tiles to keep in one value of the store: one, a block of some, or all that an entity has.
 * The same rows go into the same tiles of a 7-day window that steps by an hour, and are written and
 * read in each layout, in RocksDB. docs/adr/0006-windows-are-blocks-of-tiles.md has a run.
 *
 *     npx tsx benchmarks/window-layout.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteReader, ByteWriter } from '../src/core/bytes.ts';
import { makeColumn } from '../src/core/row-batch.ts';
import { RANK_STREAM } from '../src/core/row-order.ts';
import {
  count,
  type FeatureView,
  mean,
  percentile,
  sliding,
  topicSource,
  type Windowing,
  windowedFeatureView,
} from '../src/definition/index.ts';
import { KvBatch, type KvStore, openKvStore } from '../src/kv/index.ts';
import { createTile, updateTile } from '../src/window/tile.ts';
import { decodeBlock, encodeBlock, type TileBlock } from '../src/window/tile-block.ts';
import { planWindows, type WindowGroup } from '../src/window/window-plan.ts';

const ENTITIES = 1_000;
/** Seven days of hours, and the tile that a stepped tail reads beyond. */
const WINDOW_TILES = 169;
/** What one tile of an entity gets. */
const ROWS_A_TILE = 5;
/** Hours that pass, so that old tiles leave. */
const HOURS = 300;
const READS = 2_000;
const PACKED = 256;
const LAYOUTS = [1, 4, 16, 64, PACKED];

const schema = { at: 'timestamp', entity: 'int32', delay: 'int32' } as const;
const source = topicSource({ name: 'rows', topic: 'rows', schema, timestampField: 'at' });

function groupOf(withSketch: boolean): WindowGroup {
  const window = sliding('7d', { every: '1h' });
  const column = 'delay' as const;
  const plain = [
    { function: count(), window },
    { column, function: mean(), window },
  ];
  const sketch = { column, function: percentile(0.95), window };
  const view = windowedFeatureView({
    name: 'rows',
    source,
    aggregations: withSketch ? [...plain, sketch] : plain,
  }) as unknown as FeatureView;
  return planWindows(view, view.windowing as Windowing).groups[0] as WindowGroup;
}

interface Figures {
  readonly writeUs: number;
  readonly bytesARow: number;
  readonly readUs: number;
  readonly values: number;
  readonly storeMb: number;
}

const directory = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
try {
  for (const withSketch of [false, true]) {
    console.log(`\n${withSketch ? 'count, mean, percentile' : 'count, mean'}`);
    console.log('tiles a value | write µs a row | bytes a row | read µs | values a read | MB');
    for (const tiles of LAYOUTS) {
      const kv = await openKvStore({ path: join(directory, `${withSketch}-${tiles}`) });
      const found = await measure(kv, groupOf(withSketch), tiles);
      await kv.close();
      const cells = [found.writeUs, found.bytesARow, found.readUs, found.values, found.storeMb];
      const name = tiles === PACKED ? 'all' : String(tiles);
      console.log([name, ...cells.map((cell) => cell.toFixed(1))].join(' | '));
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** An hour is one batch: a value that changed is written once, from memory. */
async function measure(kv: KvStore, group: WindowGroup, tiles: number): Promise<Figures> {
  const blocks = new Map<string, TileBlock>();
  const out = new ByteWriter(4_096);
  const random = generator(7);
  let bytes = 0;
  const began = performance.now();
  for (let hour = 0; hour < HOURS; hour++) {
    const batch = new KvBatch();
    for (let entity = 0; entity < ENTITIES; entity++) {
      const block = tiles === PACKED ? 0 : Math.floor(hour / tiles);
      const name = `${block} ${entity}`;
      const held = blocks.get(name) ?? [];
      blocks.set(name, held);
      const place = tiles === PACKED ? hour % PACKED : hour % tiles;
      held[place] = createTile(group);
      for (let row = 0; row < ROWS_A_TILE; row++) addRow(group, held, place, hour, random);
      if (tiles === PACKED && hour >= WINDOW_TILES) delete held[(hour - WINDOW_TILES) % PACKED];
      out.reset();
      encodeBlock(group, held, out);
      const value = out.toBytes();
      bytes += value.length;
      batch.put(keyOf(block, entity), value);
    }
    const lastGone = hour - WINDOW_TILES;
    if (tiles !== PACKED && lastGone >= 0 && lastGone % tiles === tiles - 1) {
      const block = Math.floor(lastGone / tiles);
      batch.deleteRange(keyOf(block, 0), keyOf(block + 1, 0));
      for (let entity = 0; entity < ENTITIES; entity++) blocks.delete(`${block} ${entity}`);
    }
    await kv.write(batch);
  }
  const rows = HOURS * ENTITIES * ROWS_A_TILE;
  const writeUs = ((performance.now() - began) * 1_000) / rows;
  const read = await measureReads(kv, group, tiles, random);
  const storeMb = (await bytesOf(kv)) / 1e6;
  return { writeUs, bytesARow: bytes / rows, ...read, storeMb };
}

/** Fetches and decodes what one entity's window needs; merging is the same in every layout. */
async function measureReads(
  kv: KvStore,
  group: WindowGroup,
  tiles: number,
  random: () => number,
): Promise<{ readUs: number; values: number }> {
  const first = tiles === PACKED ? 0 : Math.floor((HOURS - WINDOW_TILES) / tiles);
  const last = tiles === PACKED ? 0 : Math.floor((HOURS - 1) / tiles);
  const began = performance.now();
  for (let i = 0; i < READS; i++) {
    const entity = Math.floor(random() * ENTITIES);
    const keys = Array.from({ length: last - first + 1 }, (_, b) => keyOf(first + b, entity));
    for (const value of await kv.getMany(keys)) {
      if (value === undefined) throw new Error('a block of the window is not in the store');
      decodeBlock(group, new ByteReader(value));
    }
  }
  return { readUs: ((performance.now() - began) * 1_000) / READS, values: last - first + 1 };
}

function addRow(
  group: WindowGroup,
  held: TileBlock,
  place: number,
  hour: number,
  random: () => number,
): void {
  const delay = makeColumn('int32', 1);
  delay.valid[0] = 1;
  (delay.values as Int32Array)[0] = Math.floor(random() ** 3 * 300) - 10;
  const bySlot = group.slots.map(({ column }) => (column === null ? null : delay));
  const rows = {
    eventTimesUs: Float64Array.of(hour * 3_600e6 + 1),
    createdTimesUs: Float64Array.of(0),
    offsets: Float64Array.of(0),
    rank: RANK_STREAM,
    partition: 0,
  } as const;
  updateTile(group, held[place] as NonNullable<TileBlock[number]>, { bySlot, kept: [] }, rows, 0);
}

function keyOf(block: number, entity: number): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeUInt32BE(block, 0);
  key.writeUInt32BE(entity, 4);
  return key;
}

async function bytesOf(kv: KvStore): Promise<number> {
  let bytes = 0;
  for await (const page of kv.scan({})) {
    for (const [key, value] of page) bytes += key.length + value.length;
  }
  return bytes;
}

/** A small linear congruential generator: the same rows in every layout. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

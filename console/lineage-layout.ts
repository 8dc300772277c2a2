/** Where the boxes and lines of the lineage graph go. Pure. */
import type { DefinitionName, LineageEdge } from './answers.ts';

export interface LineageBox extends DefinitionName {
  readonly id: string;
  readonly x: number;
  readonly y: number;
}

export interface LineageLine {
  readonly fromId: string;
  readonly toId: string;
  /** Of an SVG path, from left to right. */
  readonly d: string;
}

export interface LineageLayout {
  readonly boxes: readonly LineageBox[];
  readonly lines: readonly LineageLine[];
  readonly width: number;
  readonly height: number;
}

export const BOX_WIDTH = 176;
export const BOX_HEIGHT = 40;
const COLUMN_GAP = 72;
const ROW_GAP = 14;
/** Of the lane that a line has past the boxes of a column between its ends. */
const LANE_HEIGHT = 8;
const MARGIN = 2;
const SWEEPS = 8;

export function idOf({ kind, name }: DefinitionName): string {
  return `${kind} ${name}`;
}

/**
 * Each definition stands one column right of the last thing it is made from, services in the last
 * one, so that lines run from left to right; within a column, near what it is connected with. A
 * line over several columns has a lane of its own in those between.
 */
export function layoutLineage(
  definitions: readonly DefinitionName[],
  edges: readonly LineageEdge[],
): LineageLayout {
  const known = new Set(definitions.map(idOf));
  const links = edges
    .map(({ from, to }) => ({ left: idOf(to), right: idOf(from) }))
    .filter(({ left, right }) => known.has(left) && known.has(right));
  const columnOf = assignColumns(definitions, links);
  const chains = links.map((link) => chainOf(link, columnOf));
  const places = placeColumns(orderColumns(definitions, columnOf, chains));
  return {
    boxes: definitions.map(({ kind, name }) => {
      const id = idOf({ kind, name });
      const { x, y } = places.get(id) as Place;
      return { kind, name, id, x, y };
    }),
    lines: chains.map((chain) => ({
      fromId: chain[0] as string,
      toId: chain.at(-1) as string,
      d: pathThrough(chain.map((id) => places.get(id) as Place)),
    })),
    ...extentOf([...places.values()]),
  };
}

/** Everything that a definition is made from, and everything that is made from it, with itself. */
export function relatedTo(id: string, lines: readonly LineageLine[]): ReadonlySet<string> {
  const related = new Set([id]);
  const walk = (at: string, next: (line: LineageLine) => readonly [string, string]): void => {
    for (const line of lines) {
      const [near, far] = next(line);
      if (near !== at || related.has(far)) continue;
      related.add(far);
      walk(far, next);
    }
  };
  walk(id, ({ fromId, toId }) => [toId, fromId]);
  walk(id, ({ fromId, toId }) => [fromId, toId]);
  return related;
}

interface Link {
  readonly left: string;
  readonly right: string;
}

function assignColumns(
  definitions: readonly DefinitionName[],
  links: readonly Link[],
): Map<string, number> {
  const column = new Map(definitions.map((definition) => [idOf(definition), 0]));
  // Definitions make no circle; with one, the number of rounds would end it.
  for (let round = 0, moved = true; moved && round <= definitions.length; round++) {
    moved = false;
    for (const { left, right } of links) {
      const least = (column.get(left) as number) + 1;
      if ((column.get(right) as number) >= least) continue;
      column.set(right, least);
      moved = true;
    }
  }
  const last = Math.max(0, ...column.values());
  for (const definition of definitions) {
    if (definition.kind === 'featureService') column.set(idOf(definition), last);
  }
  return column;
}

/** The ends of a link with its lanes between; each lane gets its column. */
function chainOf({ left, right }: Link, columnOf: Map<string, number>): string[] {
  const [from, to] = [columnOf.get(left) as number, columnOf.get(right) as number];
  const lanes = Array.from({ length: Math.max(0, to - from - 1) }, (_, i) => {
    const id = `${left} > ${right} ${i}`;
    columnOf.set(id, from + 1 + i);
    return id;
  });
  return [left, ...lanes, right];
}

/** Boxes and lanes by column, sorted by the mean place of their neighbours, to and fro. */
function orderColumns(
  definitions: readonly DefinitionName[],
  columnOf: ReadonlyMap<string, number>,
  chains: readonly (readonly string[])[],
): Item[][] {
  const boxes = new Set(definitions.map(idOf));
  const count = Math.max(-1, ...columnOf.values()) + 1;
  let columns: Item[][] = Array.from({ length: count }, (_, c) =>
    [...columnOf].flatMap(([id, at]) => (at === c ? [{ id, isBox: boxes.has(id) }] : [])),
  );
  const steps = chains.flatMap((chain) =>
    chain.slice(1).map((right, i) => ({ left: chain[i] as string, right })),
  );
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForward = sweep % 2 === 0;
    const place = new Map(
      columns.flatMap((column) =>
        column.map(({ id }, r): [string, number] => [id, (r + 0.5) / column.length]),
      ),
    );
    const weightOf = (id: string): number => {
      const near = steps
        .filter(({ left, right }) => (isForward ? right : left) === id)
        .map(({ left, right }) => place.get(isForward ? left : right) as number);
      if (near.length === 0) return place.get(id) as number;
      return near.reduce((a, b) => a + b, 0) / near.length;
    };
    columns = columns.map((column) =>
      column
        .map((item) => ({ item, weight: weightOf(item.id) }))
        .toSorted((a, b) => a.weight - b.weight)
        .map(({ item }) => item),
    );
  }
  return columns;
}

interface Item {
  readonly id: string;
  readonly isBox: boolean;
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly height: number;
}

/** Columns beside each other, each in the middle of the tallest. */
function placeColumns(columns: readonly (readonly Item[])[]): Map<string, Place> {
  const heightOf = ({ isBox }: Item): number => (isBox ? BOX_HEIGHT : LANE_HEIGHT);
  const heights = columns.map((column) =>
    column.reduce((sum, item) => sum + heightOf(item) + ROW_GAP, -ROW_GAP),
  );
  const tallest = Math.max(0, ...heights);
  const places = new Map<string, Place>();
  columns.forEach((column, c) => {
    let y = MARGIN + (tallest - (heights[c] as number)) / 2;
    for (const item of column) {
      const height = heightOf(item);
      places.set(item.id, { x: MARGIN + c * (BOX_WIDTH + COLUMN_GAP), y, height });
      y += height + ROW_GAP;
    }
  });
  return places;
}

function extentOf(places: readonly Place[]): { width: number; height: number } {
  const right = Math.max(0, ...places.map(({ x }) => x + BOX_WIDTH));
  const bottom = Math.max(0, ...places.map(({ y, height }) => y + height));
  return { width: right + MARGIN, height: bottom + MARGIN };
}

/** Curves between columns, and a straight line through each lane. */
function pathThrough(places: readonly Place[]): string {
  let d = '';
  places.forEach((place, i) => {
    const y = place.y + place.height / 2;
    const before = places[i - 1];
    if (before !== undefined) {
      const [x1, y1] = [before.x + BOX_WIDTH, before.y + before.height / 2];
      const bend = (x1 + place.x) / 2;
      d += `C${bend} ${y1} ${bend} ${y} ${place.x} ${y}`;
    }
    const isLast = i === places.length - 1;
    if (i === 0) d += `M${place.x + BOX_WIDTH} ${y}`;
    else if (!isLast) d += `H${place.x + BOX_WIDTH}`;
  });
  return d;
}

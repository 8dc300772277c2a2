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
const MARGIN = 2;
const SWEEPS = 8;

export function idOf({ kind, name }: DefinitionName): string {
  return `${kind} ${name}`;
}

/**
 * Each definition stands one column right of the last thing it is made from, so that lines run from
 * left to right; within a column, near what it is connected with.
 */
export function layoutLineage(
  definitions: readonly DefinitionName[],
  edges: readonly LineageEdge[],
): LineageLayout {
  const ids = definitions.map(idOf);
  const known = new Set(ids);
  const links = edges
    .map(({ from, to }) => ({ left: idOf(to), right: idOf(from) }))
    .filter(({ left, right }) => known.has(left) && known.has(right));
  const columns = orderColumns(columnsOf(ids, links), links);
  const tallest = Math.max(0, ...columns.map((column) => column.length));
  const boxes = new Map<string, LineageBox>();
  const byId = new Map(definitions.map((definition) => [idOf(definition), definition]));
  columns.forEach((column, c) => {
    const top = ((tallest - column.length) * (BOX_HEIGHT + ROW_GAP)) / 2;
    column.forEach((id, r) => {
      const { kind, name } = byId.get(id) as DefinitionName;
      const x = MARGIN + c * (BOX_WIDTH + COLUMN_GAP);
      boxes.set(id, { kind, name, id, x, y: MARGIN + top + r * (BOX_HEIGHT + ROW_GAP) });
    });
  });
  return {
    boxes: [...boxes.values()],
    lines: links.map(({ left, right }) => ({
      fromId: left,
      toId: right,
      d: curve(boxes.get(left) as LineageBox, boxes.get(right) as LineageBox),
    })),
    width: Math.max(0, columns.length * (BOX_WIDTH + COLUMN_GAP) - COLUMN_GAP) + 2 * MARGIN,
    height: Math.max(0, tallest * (BOX_HEIGHT + ROW_GAP) - ROW_GAP) + 2 * MARGIN,
  };
}

/** Everything that a definition is made from, and everything that is made from it, with itself. */
export function relatedTo(id: string, lines: readonly LineageLine[]): ReadonlySet<string> {
  const related = new Set([id]);
  const walk = (from: string, next: (line: LineageLine, id: string) => string | null): void => {
    for (const line of lines) {
      const other = next(line, from);
      if (other === null || related.has(other)) continue;
      related.add(other);
      walk(other, next);
    }
  };
  walk(id, ({ fromId, toId }, at) => (toId === at ? fromId : null));
  walk(id, ({ fromId, toId }, at) => (fromId === at ? toId : null));
  return related;
}

interface Link {
  readonly left: string;
  readonly right: string;
}

function columnsOf(ids: readonly string[], links: readonly Link[]): string[][] {
  const column = new Map(ids.map((id) => [id, 0]));
  // Definitions make no circle; with one, the number of rounds ends it.
  for (let round = 0, moved = true; moved && round <= ids.length; round++) {
    moved = false;
    for (const { left, right } of links) {
      const least = (column.get(left) as number) + 1;
      if ((column.get(right) as number) >= least) continue;
      column.set(right, least);
      moved = true;
    }
  }
  const count = Math.max(-1, ...column.values()) + 1;
  return Array.from({ length: count }, (_, c) => ids.filter((id) => column.get(id) === c));
}

/** Sorts each column by the mean place of its neighbours, to and fro. */
function orderColumns(columns: string[][], links: readonly Link[]): string[][] {
  let ordered = columns;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const place = new Map(
      ordered.flatMap((column) =>
        column.map((id, r): [string, number] => [id, (r + 0.5) / column.length]),
      ),
    );
    const isForward = sweep % 2 === 0;
    ordered = ordered.map((column) => {
      const weight = new Map(
        column.map((id) => {
          const near = links
            .filter(({ left, right }) => (isForward ? right : left) === id)
            .map(({ left, right }) => place.get(isForward ? left : right) as number);
          const mean = near.reduce((a, b) => a + b, 0) / near.length;
          return [id, near.length === 0 ? (place.get(id) as number) : mean];
        }),
      );
      return column.toSorted((a, b) => (weight.get(a) as number) - (weight.get(b) as number));
    });
  }
  return ordered;
}

function curve(left: LineageBox, right: LineageBox): string {
  const [x1, y1] = [left.x + BOX_WIDTH, left.y + BOX_HEIGHT / 2];
  const [x2, y2] = [right.x, right.y + BOX_HEIGHT / 2];
  const bend = (x1 + x2) / 2;
  return `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`;
}

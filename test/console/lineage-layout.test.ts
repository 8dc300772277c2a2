import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DefinitionName, LineageEdge } from '../../console/answers.ts';
import {
  BOX_HEIGHT,
  BOX_WIDTH,
  idOf,
  layoutLineage,
  relatedTo,
} from '../../console/lineage-layout.ts';

const source = (name: string): DefinitionName => ({ kind: 'topicSource', name });
const view = (name: string): DefinitionName => ({ kind: 'featureView', name });
const service = (name: string): DefinitionName => ({ kind: 'featureService', name });
const edge = (from: DefinitionName, to: DefinitionName): LineageEdge => ({ from, to });

/** Views are made from sources and from views before them, services from views. */
const catalogues = fc
  .record({
    sources: fc.integer({ min: 0, max: 4 }),
    views: fc.integer({ min: 0, max: 8 }),
    services: fc.integer({ min: 0, max: 4 }),
    picks: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 30 }),
  })
  .map(({ sources, views, services, picks }) => {
    const named = (make: (name: string) => DefinitionName, count: number): DefinitionName[] =>
      Array.from({ length: count }, (_, i) => make(`n${i}`));
    const all = [...named(source, sources), ...named(view, views), ...named(service, services)];
    const edges = picks.flatMap(([a, b]) => {
      const to = all[a % Math.max(1, sources + views)];
      const from = all[sources + (b % Math.max(1, views + services))];
      const isOrdered = to && from && all.indexOf(to) < all.indexOf(from);
      return isOrdered && to.kind !== 'featureService' ? [edge(from, to)] : [];
    });
    return { all, edges };
  });

describe('the lineage graph', () => {
  it('runs from left to right, and no two boxes touch', () => {
    fc.assert(
      fc.property(catalogues, ({ all, edges }) => {
        const { boxes, lines, width, height } = layoutLineage(all, edges);
        const byId = new Map(boxes.map((box) => [box.id, box]));
        expect(boxes.map(({ id }) => id)).toEqual(all.map(idOf));
        for (const { fromId, toId, d } of lines) {
          expect(byId.get(fromId)!.x).toBeLessThan(byId.get(toId)!.x);
          expect(d).not.toMatch(/NaN|undefined|Infinity/);
        }
        for (const [i, a] of boxes.entries()) {
          expect(a.x >= 0 && a.y >= 0).toBe(true);
          expect(a.x + BOX_WIDTH <= width && a.y + BOX_HEIGHT <= height).toBe(true);
          for (const b of boxes.slice(i + 1)) {
            const apart = Math.abs(a.x - b.x) >= BOX_WIDTH || Math.abs(a.y - b.y) >= BOX_HEIGHT;
            expect(apart).toBe(true);
          }
        }
      }),
    );
  });

  it('puts services into the last column, and what is alone into the first', () => {
    const all = [source('s'), view('a'), view('b'), service('early'), service('late')];
    const edges = [
      edge(view('a'), source('s')),
      edge(view('b'), view('a')),
      edge(service('early'), view('a')),
      edge(service('late'), view('b')),
    ];
    const { boxes } = layoutLineage(all, edges);
    const columns = new Map(boxes.map(({ name, x }) => [name, x]));
    expect(columns.get('early')).toBe(columns.get('late'));
    expect(columns.get('s')).toBeLessThan(columns.get('a') as number);
    expect(layoutLineage([view('alone')], []).boxes).toMatchObject([{ name: 'alone', x: 2, y: 2 }]);
    expect(layoutLineage([], [])).toMatchObject({ boxes: [], lines: [] });
  });

  it('leaves out lines to what is not shown', () => {
    const { lines } = layoutLineage([view('a')], [edge(view('a'), source('hidden'))]);
    expect(lines).toEqual([]);
  });

  it('knows what hangs together, up and down and not across', () => {
    const edges = [
      edge(view('a'), source('s')),
      edge(view('b'), source('s')),
      edge(service('m'), view('a')),
      edge(service('n'), view('b')),
    ];
    const all = [source('s'), view('a'), view('b'), service('m'), service('n')];
    const { lines } = layoutLineage(all, edges);
    const related = (name: DefinitionName): string[] =>
      [...relatedTo(idOf(name), lines)].map((id) => id.split(' ')[1] as string).toSorted();
    expect(related(view('a'))).toEqual(['a', 'm', 's']);
    expect(related(source('s'))).toEqual(['a', 'b', 'm', 'n', 's']);
    expect(related(service('n'))).toEqual(['b', 'n', 's']);
  });
});

/**
 * What a windowed view keeps and reads, worked out once from its definition.
 *
 * Aggregations whose windows need the same slices of time share a *group*: one set of tiles, each
 * with one IR (a *slot*) for each distinct aggregation.
 */
import type { FieldType } from '../core/field-type.ts';
import type { AggregationSpec, FeatureView, Windowing, WindowSpec } from '../definition/index.ts';
import type { Aggregator } from './aggregator.ts';
import { createAggregator } from './aggregators/index.ts';

export interface WindowPlan {
  readonly groups: readonly WindowGroup[];
  readonly reads: readonly WindowRead[];
  /** Columns of rows, derived ones included, that aggregations read. */
  readonly columns: readonly PlannedColumn[];
}

export interface WindowGroup {
  /** Position in the plan; part of the keys of stored tiles. */
  readonly index: number;
  readonly shape: GroupShape;
  readonly slots: readonly Slot[];
  /** Columns that slots read, for groups that keep rows. */
  readonly columns: readonly PlannedColumn[];
  /** How far behind stream time a tile can still be reached by a read; null: for ever. */
  readonly retentionUs: number | null;
}

/** How a group slices time. */
export type GroupShape =
  | { readonly kind: 'sliding'; readonly everyUs: number; readonly keepsRows: boolean }
  | {
      readonly kind: 'aligned';
      readonly sizeUs: number;
      readonly everyUs: number;
      readonly offsetUs: number;
    }
  | { readonly kind: 'session'; readonly gapUs: number }
  | { readonly kind: 'lifetime' }
  | { readonly kind: 'lastRows'; readonly count: number };

export interface Slot {
  readonly aggregator: Aggregator;
  /** Null for aggregations that read no column. */
  readonly column: string | null;
}

export interface PlannedColumn {
  readonly name: string;
  readonly type: FieldType;
}

/** One window over one group, and the features that come from it. */
export interface WindowRead {
  readonly group: WindowGroup;
  readonly window: WindowSpec;
  readonly outputs: readonly { readonly feature: string; readonly slot: number }[];
}

interface Draft {
  readonly shape: GroupShape;
  readonly slotNames: string[];
  readonly slots: Slot[];
  retentionUs: number | null;
}

export function planWindows(view: FeatureView, windowing: Windowing): WindowPlan {
  const typeOf = columnTypes(view, windowing);
  const drafts = new Map<string, Draft>();
  const reads = new Map<string, { draft: Draft; window: WindowSpec; outputs: Output[] }>();
  for (const spec of windowing.aggregations) {
    const draft = entry(drafts, JSON.stringify(shapeOf(spec.window)), () => ({
      shape: shapeOf(spec.window),
      slotNames: [],
      slots: [],
      retentionUs: 0,
    }));
    draft.retentionUs = longer(draft.retentionUs, retentionUs(spec.window, view.graceUs));
    const read = entry(reads, JSON.stringify(spec.window), () => ({
      draft,
      window: spec.window,
      outputs: [],
    }));
    read.outputs.push({ feature: spec.feature, slot: slotOf(draft, spec, typeOf) });
  }
  const groups = [...drafts.values()].map(
    (draft, index): WindowGroup => ({
      index,
      shape: draft.shape,
      slots: draft.slots,
      columns: distinctColumns(draft.slots, typeOf),
      retentionUs: draft.retentionUs,
    }),
  );
  const places = [...drafts.values()];
  return {
    groups,
    reads: [...reads.values()].map(({ draft, window, outputs }) => ({
      group: groups[places.indexOf(draft)] as WindowGroup,
      window,
      outputs,
    })),
    columns: distinctColumns(
      groups.flatMap((group) => group.slots),
      typeOf,
    ),
  };
}

type Output = WindowRead['outputs'][number];

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function columnTypes(view: FeatureView, windowing: Windowing): (name: string) => FieldType {
  const source = view.streamSource ?? view.batchSource;
  return (name) => (windowing.derive[name]?.type ?? source?.schema[name]) as FieldType;
}

function shapeOf(window: WindowSpec): GroupShape {
  switch (window.kind) {
    case 'sliding':
      return { kind: 'sliding', everyUs: window.everyUs, keepsRows: window.exact };
    case 'tumbling':
    case 'hopping': {
      const { sizeUs, everyUs, offsetUs } = window;
      return { kind: 'aligned', sizeUs, everyUs, offsetUs };
    }
    case 'session':
      return { kind: 'session', gapUs: window.gapUs };
    case 'lifetime':
      return { kind: 'lifetime' };
    case 'lastRows':
      return { kind: 'lastRows', count: window.count };
  }
}

/** A read at or after stream time - grace looks no further back than this behind stream time. */
function retentionUs(window: WindowSpec, graceUs: number): number | null {
  switch (window.kind) {
    case 'sliding':
      return window.sizeUs + window.everyUs + graceUs;
    case 'tumbling':
    case 'hopping':
      return window.sizeUs + window.everyUs + graceUs;
    default:
      return null;
  }
}

function longer(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

function slotOf(draft: Draft, spec: AggregationSpec, typeOf: (name: string) => FieldType): number {
  const name = JSON.stringify([spec.column, spec.function.name, spec.function.params]);
  const known = draft.slotNames.indexOf(name);
  if (known >= 0) return known;
  const type = spec.column === null ? 'int32' : typeOf(spec.column);
  draft.slotNames.push(name);
  draft.slots.push({ aggregator: createAggregator(spec.function, type), column: spec.column });
  return draft.slots.length - 1;
}

function distinctColumns(
  slots: readonly Slot[],
  typeOf: (name: string) => FieldType,
): PlannedColumn[] {
  const names = new Set(slots.map((slot) => slot.column).filter((name) => name !== null));
  return [...names].map((name) => ({ name, type: typeOf(name) }));
}

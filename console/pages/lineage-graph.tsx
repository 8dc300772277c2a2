import type { VNode } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Catalogue, DefinitionName } from '../answers.ts';
import {
  BOX_HEIGHT,
  BOX_WIDTH,
  idOf,
  type LineageBox,
  layoutLineage,
  relatedTo,
} from '../lineage-layout.ts';
import { KIND_NAMES } from '../parts/basics.tsx';
import { hashOf } from '../route.ts';

/** Letters of a name that fit into a box. */
const NAME_LETTERS_MAX = 22;

/** Sources, views and services with the lines between them. Entities are left out: they join, they do not flow. */
export function LineageGraph({
  catalogue,
  marked,
}: {
  readonly catalogue: Catalogue;
  /** Those that a search found; null: there is no search. */
  readonly marked: readonly DefinitionName[] | null;
}): VNode {
  const { definitions, lineage } = catalogue;
  const { boxes, lines, width, height } = useMemo(
    () =>
      layoutLineage(
        definitions.filter(({ kind }) => kind !== 'entity'),
        lineage,
      ),
    [definitions, lineage],
  );
  const [pointed, setPointed] = useState<string | null>(null);
  const lit =
    pointed !== null ? relatedTo(pointed, lines) : marked && new Set(marked.map((m) => idOf(m)));
  const isDim = (id: string): boolean => lit !== null && !lit.has(id);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="scroll lineage" aria-label="Lineage graph" tabIndex={0}>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="presentation">
        {lines.map(({ fromId, toId, d }) => (
          <path
            key={`${fromId} ${toId}`}
            class={`lineage-line ${isDim(fromId) || isDim(toId) ? 'dim' : lit === null ? '' : 'lit'}`}
            d={d}
          />
        ))}
        {boxes.map((box) => (
          <Box key={box.id} box={box} isDim={isDim(box.id)} onPoint={setPointed} />
        ))}
      </svg>
    </section>
  );
}

function Box({
  box: { id, kind, name, x, y },
  isDim,
  onPoint,
}: {
  readonly box: LineageBox;
  readonly isDim: boolean;
  readonly onPoint: (id: string | null) => void;
}): VNode {
  const short = name.length > NAME_LETTERS_MAX ? `${name.slice(0, NAME_LETTERS_MAX - 1)}…` : name;
  return (
    <a
      href={hashOf({ kind, name })}
      class={`box ${kind} ${isDim ? 'dim' : ''}`}
      onMouseEnter={() => onPoint(id)}
      onMouseLeave={() => onPoint(null)}
      onFocus={() => onPoint(id)}
      onBlur={() => onPoint(null)}
    >
      {short !== name && <title>{name}</title>}
      <rect x={x} y={y} width={BOX_WIDTH} height={BOX_HEIGHT} rx="6" />
      <text x={x + 12} y={y + 17} class="box-name">
        {short}
      </text>
      <text x={x + 12} y={y + 31} class="box-kind">
        {KIND_NAMES[kind]}
      </text>
    </a>
  );
}

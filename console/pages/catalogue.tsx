import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Catalogue, Definition, DefinitionName, Kind } from '../answers.ts';
import { searchDefinitions, usedBy } from '../definitions.ts';
import { useLive } from '../live.tsx';
import {
  Answered,
  Badge,
  DefinitionLink,
  Empty,
  KIND_NAMES,
  PageTitle,
  Panel,
  Table,
} from '../parts/basics.tsx';
import { SEARCH } from '../route.ts';
import { LineageGraph } from './lineage-graph.tsx';

const ORDER: readonly Kind[] = [
  'featureService',
  'featureView',
  'onDemandFeatureView',
  'entity',
  'topicSource',
  'parquetSource',
  'requestSource',
];

export function CataloguePage(): VNode {
  const { catalogue } = useLive();
  return (
    <>
      <PageTitle lead="What is applied, and what is made from what.">Catalogue</PageTitle>
      <Answered answer={catalogue} what="the catalogue">
        {(data) =>
          data.definitions.length === 0 ? (
            <Empty title="Nothing is applied yet">
              <code>freshet apply</code> records the definitions of a feature repository.
            </Empty>
          ) : (
            <Applied catalogue={data} />
          )
        }
      </Answered>
    </>
  );
}

function Applied({ catalogue }: { readonly catalogue: Catalogue }): VNode {
  const [text, setText] = useState('');
  const found = searchDefinitions(catalogue.definitions, text);
  return (
    <>
      <Search text={text} onText={setText} found={found.length} />
      <Panel
        title="Lineage"
        note="From sources through views to services. Point at a box to see what it depends on and what depends on it."
      >
        <LineageGraph catalogue={catalogue} marked={text === '' ? null : found} />
      </Panel>
      <Definitions catalogue={catalogue} found={found} />
    </>
  );
}

function Search({
  text,
  onText,
  found,
}: {
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly found: number;
}): VNode {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (location.hash.endsWith(SEARCH)) input.current?.focus();
  }, []);
  return (
    <search class="search">
      <label class="visually-hidden" for="search">
        Search names, features, tags, owners and descriptions
      </label>
      <input
        ref={input}
        id="search"
        type="search"
        placeholder="Search names, features, tags, owners"
        value={text}
        onInput={({ currentTarget }) => onText(currentTarget.value)}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
      <span class="muted" role="status">
        {text !== '' && `${found} found`}
      </span>
    </search>
  );
}

function Definitions({
  catalogue,
  found,
}: {
  readonly catalogue: Catalogue;
  readonly found: readonly Definition[];
}): VNode {
  const sorted = found.toSorted(
    (a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.name < b.name ? -1 : 1),
  );
  if (sorted.length === 0) return <Empty title="No definition matches the search" />;
  return (
    <Panel title="Definitions">
      <Table label="Definitions" head={['Name', 'Kind', 'What it is', 'Used by']}>
        {sorted.map((definition) => (
          <tr key={`${definition.kind} ${definition.name}`}>
            <th scope="row">
              <DefinitionLink of={definition} />
            </th>
            <td class="nowrap">{KIND_NAMES[definition.kind]}</td>
            <td class="text">
              {definition.description || <span class="muted">–</span>}
              <Tags of={definition} />
            </td>
            <td>
              <Names of={usedBy(catalogue.lineage, definition)} />
            </td>
          </tr>
        ))}
      </Table>
    </Panel>
  );
}

export function Tags({ of: { tags, owner } }: { readonly of: Definition }): VNode | null {
  const entries = Object.entries(tags);
  if (entries.length === 0 && owner === '') return null;
  return (
    <div class="tags">
      {owner !== '' && <Badge>{owner}</Badge>}
      {entries.map(([name, value]) => (
        <Badge key={name}>
          {name}: {value}
        </Badge>
      ))}
    </div>
  );
}

export function Names({ of }: { readonly of: readonly DefinitionName[] }): VNode {
  if (of.length === 0) return <span class="muted">–</span>;
  return (
    <ul class="names">
      {of.map((name) => (
        <li key={`${name.kind} ${name.name}`}>
          <DefinitionLink of={name} />
        </li>
      ))}
    </ul>
  );
}

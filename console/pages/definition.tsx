import type { ComponentChildren, VNode } from 'preact';
import type { Catalogue, Definition, Kind } from '../answers.ts';
import { madeFrom, schemaOf, usedBy } from '../definitions.ts';
import { formatSpan } from '../format.ts';
import { useLive } from '../live.tsx';
import {
  Answered,
  Badge,
  Code,
  Empty,
  Facts,
  KIND_NAMES,
  PageTitle,
  Panel,
  Table,
} from '../parts/basics.tsx';
import { Names, Tags } from './catalogue.tsx';
import { SegmentTimeline } from './segment-timeline.tsx';

/** Entities, sources, on-demand views and services; views have a page of their own. */
export function DefinitionPage({
  kind,
  name,
}: {
  readonly kind: Kind;
  readonly name: string;
}): VNode {
  const { catalogue } = useLive();
  return (
    <Answered answer={catalogue} what="the definition">
      {(data) => {
        const found = data.definitions.find((d) => d.kind === kind && d.name === name);
        return found === undefined ? (
          <MissingDefinition kind={kind} name={name} />
        ) : (
          <Found definition={found} catalogue={data} />
        );
      }}
    </Answered>
  );
}

export function MissingDefinition({
  kind,
  name,
}: {
  readonly kind: Kind;
  readonly name: string;
}): VNode {
  return (
    <>
      <PageTitle>{name}</PageTitle>
      <Empty title={`There is no ${KIND_NAMES[kind]} “${name}”`}>
        It may have been removed. <a href="#/catalogue">See the catalogue</a>
      </Empty>
    </>
  );
}

function Found({
  definition,
  catalogue: { lineage },
}: {
  readonly definition: Definition;
  readonly catalogue: Catalogue;
}): VNode {
  const { kind, name, description } = definition;
  return (
    <>
      <PageTitle {...(description !== '' && { lead: description })}>
        {name} <Badge>{KIND_NAMES[kind]}</Badge>
      </PageTitle>
      <Tags of={definition} />
      {/* Features of a service take the width of the page: four columns of names. */}
      <div class={kind === 'featureService' ? '' : 'columns'}>
        <Panel title="Facts">
          <Facts
            rows={[
              ['Made from', <Names of={madeFrom(lineage, definition)} />],
              ['Used by', <Names of={usedBy(lineage, definition)} />],
              ...specFacts(definition),
              ['Fingerprint', <code>{definition.fingerprint}</code>],
            ]}
          />
        </Panel>
        <Fields definition={definition} />
      </div>
      {kind === 'topicSource' && <SegmentTimeline source={name} />}
    </>
  );
}

function Fields({ definition }: { readonly definition: Definition }): VNode | null {
  const { kind, spec } = definition;
  if (kind === 'featureService') return <Projections definition={definition} />;
  return (
    <Panel title={kind === 'entity' ? 'Join keys' : 'Schema'}>
      <Table label="Fields" head={['Name', 'Type']}>
        {schemaOf(definition).map(([field, type]) => (
          <tr key={field}>
            <th scope="row" class="name">
              {field}
            </th>
            <td class="type">{type}</td>
          </tr>
        ))}
      </Table>
      {typeof spec['transform'] === 'string' && <Code title="Transform">{spec['transform']}</Code>}
    </Panel>
  );
}

interface Projection {
  readonly view: string;
  readonly alias?: string;
  readonly features: readonly string[] | null;
  readonly joinKeyMap?: Readonly<Record<string, string>>;
}

function Projections({ definition: { spec } }: { readonly definition: Definition }): VNode {
  return (
    <Panel title="Features">
      <Table label="Features" head={['View', 'As', 'Features', 'Joined on']}>
        {(spec['features'] as readonly Projection[]).map(
          ({ view, alias = view, ...projection }) => (
            <tr key={`${view} ${alias}`}>
              <th scope="row" class="name">
                {view}
              </th>
              <td class="name">{alias === view ? '–' : alias}</td>
              <td class="text name">{projection.features?.join(', ') ?? 'all'}</td>
              <td class="name">
                {Object.entries(projection.joinKeyMap ?? {})
                  .map(([key, column]) => `${key} = ${column}`)
                  .join(', ') || '–'}
              </td>
            </tr>
          ),
        )}
      </Table>
    </Panel>
  );
}

const SHOWN_ELSEWHERE = new Set([
  'schema',
  'joinKeys',
  'transform',
  'features',
  'sources',
  'requestSources',
]);

/** What is left of the spec, in the words of the definition; milliseconds as spans. */
function specFacts({ spec }: Definition): (readonly [string, ComponentChildren])[] {
  return Object.entries(spec)
    .filter(([name, value]) => !SHOWN_ELSEWHERE.has(name) && value !== null)
    .map(([name, value]) => [
      name.replace(/Ms$/, ''),
      <code key={name}>{specText(name, value)}</code>,
    ]);
}

function specText(name: string, value: unknown): string {
  if (typeof value === 'number' && name.endsWith('Ms')) return formatSpan(value);
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

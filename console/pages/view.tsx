import type { ComponentChildren, VNode } from 'preact';
import type { Aggregation, Catalogue, Definition, ViewCost, ViewSpec } from '../answers.ts';
import { usedBy } from '../definitions.ts';
import { formatBytes, formatCount, formatSpan } from '../format.ts';
import { useLive } from '../live.tsx';
import {
  Answered,
  Badge,
  Code,
  DefinitionLink,
  Facts,
  PageTitle,
  Panel,
  Table,
} from '../parts/basics.tsx';
import { useAnswer } from '../use-answer.ts';
import { Names, Tags } from './catalogue.tsx';
import { MissingDefinition } from './definition.tsx';
import { Lookup } from './lookup.tsx';
import { SegmentTimeline } from './segment-timeline.tsx';

export function ViewPage({ name }: { readonly name: string }): VNode {
  const { catalogue } = useLive();
  return (
    <Answered answer={catalogue} what="the view">
      {(data) => {
        const found = data.definitions.find((d) => d.kind === 'featureView' && d.name === name);
        return found === undefined ? (
          <MissingDefinition kind="featureView" name={name} />
        ) : (
          <View definition={found} catalogue={data} />
        );
      }}
    </Answered>
  );
}

/** States of the registry that say no more than the other badges. */
const QUIET_STATES = ['STATE_UNSPECIFIED', 'AVAILABLE_ONLINE'];

function View({
  definition,
  catalogue,
}: {
  readonly definition: Definition;
  readonly catalogue: Catalogue;
}): VNode {
  const { name, description } = definition;
  const spec = definition.spec as unknown as ViewSpec;
  const state = catalogue.states[name];
  return (
    <>
      <PageTitle {...(description !== '' && { lead: description })}>{name}</PageTitle>
      <div class="tags">
        <Badge>{spec.windowing === null ? 'newest rows' : 'windows'}</Badge>
        {spec.online && <Badge tone="good">online</Badge>}
        {spec.offline && <Badge tone="good">offline</Badge>}
        {!spec.enabled && <Badge tone="warn">disabled</Badge>}
        {state !== undefined && !QUIET_STATES.includes(state) && (
          <Badge tone="accent">{state.toLowerCase()}</Badge>
        )}
        <Tags of={definition} />
      </div>
      {spec.online && spec.enabled && <Lookup view={name} spec={spec} />}
      <div class="columns">
        <ViewFacts definition={definition} spec={spec} catalogue={catalogue} />
        <FeatureTable spec={spec} />
      </div>
      {spec.streamSource !== null && <SegmentTimeline source={spec.streamSource} />}
    </>
  );
}

function ViewFacts({
  definition,
  spec,
  catalogue: { lineage },
}: {
  readonly definition: Definition;
  readonly spec: ViewSpec;
  readonly catalogue: Catalogue;
}): VNode {
  const { data } = useLive().overview;
  const source = data?.sources.find((s) => s.source === spec.streamSource);
  const streamTimeUs = source?.streamTimeUs ?? null;
  const keys = Object.entries(spec.joinKeys);
  const rows: (readonly [string, ComponentChildren])[] = [
    ['Entities', spec.entities.map((name) => <DefinitionLink of={{ kind: 'entity', name }} />)],
    ['Join keys', <code>{keys.map(([key, type]) => `${key}: ${type}`).join(', ') || 'none'}</code>],
    ['Source', <SourceLinks spec={spec} />],
    ['Used by', <Names of={usedBy(lineage, definition)} />],
    ['TTL', spec.ttlUs === null ? 'none' : formatSpan(spec.ttlUs / 1_000)],
    ...(spec.graceUs === null
      ? []
      : [['Grace', formatSpan(spec.graceUs / 1_000)] as [string, ComponentChildren]]),
    [
      'Freshness',
      data === null || streamTimeUs === null ? '–' : formatSpan(data.nowMs - streamTimeUs / 1_000),
    ],
    ['Fingerprint', <code>{definition.fingerprint}</code>],
  ];
  return (
    <Panel title="Facts">
      <Facts rows={rows} />
      {spec.online && spec.enabled && <Cost view={definition.name} />}
    </Panel>
  );
}

function SourceLinks({ spec: { streamSource, batchSource } }: { readonly spec: ViewSpec }): VNode {
  return (
    <>
      {streamSource !== null && <DefinitionLink of={{ kind: 'topicSource', name: streamSource }} />}{' '}
      {batchSource !== null && <DefinitionLink of={{ kind: 'parquetSource', name: batchSource }} />}
    </>
  );
}

/** Reads all state of the view, so it is asked for once. */
function Cost({ view }: { readonly view: string }): VNode {
  const answer = useAnswer<ViewCost>(`/v1/views/${encodeURIComponent(view)}/cost`);
  return (
    <Answered answer={answer} what="the state size">
      {({ entities, bytes, reads }) => (
        <>
          <Facts
            rows={[
              ['Entities online', formatCount(entities)],
              ['State size', formatBytes(bytes)],
            ]}
          />
          {reads.length > 0 && (
            <Table
              label="What a read costs"
              head={['Window', 'Tile', 'Tiles#', 'Values read#', 'Bytes#', 'Kept']}
            >
              {reads.map(({ window, tileUs, tiles, values, bytes: read, retentionUs }) => (
                <tr key={`${window.kind} ${window.label}`}>
                  <th scope="row">{windowText(window)}</th>
                  <td>{tileUs === null ? '–' : formatSpan(tileUs / 1_000)}</td>
                  <td class="figure">{tiles}</td>
                  <td class="figure">{values}</td>
                  <td class="figure">{read === null ? '–' : formatBytes(read)}</td>
                  <td>{retentionUs === null ? 'for ever' : formatSpan(retentionUs / 1_000)}</td>
                </tr>
              ))}
            </Table>
          )}
        </>
      )}
    </Answered>
  );
}

function FeatureTable({ spec: { schema, windowing } }: { readonly spec: ViewSpec }): VNode {
  const aggregations = new Map(windowing?.aggregations.map((a) => [a.feature, a]));
  const rest = Object.entries(windowing?.derive ?? {});
  return (
    <Panel title="Schema">
      <Table
        label="Features"
        head={
          windowing === null ? ['Feature', 'Type'] : ['Feature', 'Type', 'Aggregation', 'Window']
        }
      >
        {Object.entries(schema).map(([feature, type]) => (
          <tr key={feature}>
            <th scope="row" class="name">
              {feature}
            </th>
            <td class="type">{type}</td>
            <AggregationCells of={aggregations.get(feature)} />
          </tr>
        ))}
      </Table>
      {windowing?.where != null && <Code title="Only rows where">{windowing.where}</Code>}
      {rest.map(([name, { type, of }]) => (
        <Code key={name} title={`${name}: ${type}, derived`}>
          {of}
        </Code>
      ))}
    </Panel>
  );
}

function AggregationCells({ of }: { readonly of: Aggregation | undefined }): VNode | null {
  if (of === undefined) return null;
  const params = Object.values(of.function.params);
  const name = params.length === 0 ? of.function.name : `${of.function.name}(${params.join(', ')})`;
  return (
    <>
      <td class="name">{of.column === null ? name : `${name} of ${of.column}`}</td>
      <td class="nowrap">{windowText(of.window)}</td>
    </>
  );
}

function windowText({ kind, label, exact = false }: Aggregation['window']): string {
  const text = label.startsWith(kind) ? label.replaceAll('_', ' ') : `${kind} ${label}`;
  return exact ? `${text}, exact` : text;
}

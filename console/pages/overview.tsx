import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Overview, SourceTotals } from '../answers.ts';
import { formatBytes, formatCompact, formatCount, formatPlural, formatSpan } from '../format.ts';
import { useLive } from '../live.tsx';
import { Answered, Empty, PageTitle, Panel, Table } from '../parts/basics.tsx';
import { Chart } from '../parts/chart.tsx';
import { rateAt } from '../pulse.ts';
import { hashOf } from '../route.ts';
import { FlowPicture } from './flow-picture.tsx';

export function OverviewPage(): VNode {
  const { overview } = useLive();
  return (
    <>
      <PageTitle>Overview</PageTitle>
      <Answered answer={overview} what="the overview">
        {(data) => <Whole overview={data} />}
      </Answered>
    </>
  );
}

function Whole({ overview }: { readonly overview: Overview }): VNode {
  const { sources, health } = overview;
  if (sources.length === 0) {
    return (
      <Empty title="No view reads a topic yet">
        Define a view with a topic source, then <code>freshet apply</code>.
      </Empty>
    );
  }
  return (
    <>
      {health.status === 'unhealthy' && (
        <div class="failure" role="alert">
          <strong>The engine does not keep up</strong>
          <ul>
            {health.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </div>
      )}
      <FlowPicture overview={overview} />
      <Figures overview={overview} />
      <Pulse />
      <Sources overview={overview} />
    </>
  );
}

/** The figures that a person looks at first; what calls for a look is marked. */
function Figures({ overview: { sources, nowMs } }: { readonly overview: Overview }): VNode {
  const { beats } = useLive();
  const sum = (of: (source: SourceTotals) => number): number =>
    sources.reduce((total, source) => total + of(source), 0);
  const [lag, late, rejected, gaps] = [
    sum(({ lagRecords }) => lagRecords),
    sum((source) => source.late),
    sum((source) => source.rejected),
    sum(({ gapRecords }) => gapRecords),
  ];
  const rate = rateAt(beats, 'rows');
  const newestUs = Math.max(...sources.map(({ streamTimeUs }) => streamTimeUs ?? 0));
  return (
    <dl class="figures">
      <Figure name="Rows a second" value={rate === null ? '–' : formatCompact(rate)} />
      <Figure name="Lag" value={formatCompact(lag)} unit={lag === 1 ? 'record' : 'records'} />
      <Figure
        name="Freshness"
        value={newestUs === 0 ? '–' : formatSpan(nowMs - newestUs / 1_000)}
        help="Now less the stream time of the newest partition"
      />
      <Figure name="Late rows" value={formatCompact(late)} tone={late > 0 ? 'warn' : 'plain'} />
      <Figure
        name="Dead letters"
        value={formatCompact(rejected)}
        tone={rejected > 0 ? 'bad' : 'plain'}
        {...(rejected > 0 && { href: '#/dead-letters' })}
      />
      {gaps > 0 && <Figure name="Lost to retention" value={formatCompact(gaps)} tone="bad" />}
    </dl>
  );
}

function Figure({
  name,
  value,
  unit,
  help,
  href,
  tone = 'plain',
}: {
  readonly name: string;
  readonly value: string;
  readonly unit?: string;
  readonly help?: string;
  readonly href?: string;
  readonly tone?: 'plain' | 'warn' | 'bad';
}): VNode {
  return (
    <div class={`figure-box ${tone}`} title={help}>
      <dt>{href === undefined ? name : <a href={href}>{name}</a>}</dt>
      <dd>
        {value}
        {unit !== undefined && <span class="unit"> {unit}</span>}
      </dd>
    </div>
  );
}

/** The last minutes. */
function Pulse(): VNode {
  const { beats } = useLive();
  const times = useMemo(() => beats.map(({ atMs }) => atMs / 1_000), [beats]);
  const rates = useMemo(() => beats.map((_, i) => rateAt(beats, 'rows', i)), [beats]);
  const lags = useMemo(() => beats.map(({ lagRecords }) => lagRecords), [beats]);
  const common = { times, format: formatCompact, height: 150, live: true };
  return (
    <div class="columns">
      <Panel title="Rows a second" aside={<span class="muted">last 3 minutes</span>}>
        <Chart {...common} values={rates} label="Rows a second in the last three minutes" />
      </Panel>
      <Panel title="Lag" aside={<span class="muted">records</span>}>
        <Chart {...common} values={lags} label="Records behind in the last three minutes" />
      </Panel>
    </div>
  );
}

function Sources({ overview: { sources, nowMs } }: { readonly overview: Overview }): VNode {
  return (
    <Panel title="Sources">
      <Table
        label="Sources"
        head={['Source', 'Rows#', 'Lag#', 'Freshness#', 'Late#', 'Dead letters#', 'Segments#']}
      >
        {sources.map((source) => (
          <tr key={source.source}>
            <th scope="row">
              <a href={hashOf({ kind: 'topicSource', name: source.source })}>{source.source}</a>
              <div class="muted">{formatPlural(source.partitions, 'partition')}</div>
            </th>
            <td class="figure">{formatCount(source.rows)}</td>
            <td class="figure">{formatCount(source.lagRecords)}</td>
            <td class="figure">
              {source.streamTimeUs === null ? '–' : formatSpan(nowMs - source.streamTimeUs / 1_000)}
            </td>
            <td class="figure">{formatCount(source.late)}</td>
            <td class="figure">{formatCount(source.rejected)}</td>
            <td class="figure">
              {formatCount(source.segments.files)}
              <div class="muted">{formatBytes(source.segments.bytes)}</div>
            </td>
          </tr>
        ))}
      </Table>
    </Panel>
  );
}

import type { VNode } from 'preact';
import type { Gap, PartitionStatus, Status } from '../answers.ts';
import { formatCount, formatPlural, formatSpan, formatTimeUs } from '../format.ts';
import {
  Answered,
  Badge,
  DefinitionLink,
  Empty,
  PageTitle,
  Panel,
  Table,
} from '../parts/basics.tsx';
import { useAnswer } from '../use-answer.ts';

const EVERY_MS = 2_000;
const HEAD = [
  'Partition#',
  'State',
  'Applied#',
  'Sealed#',
  'End#',
  'Lag#',
  'Stream time',
  'Behind now#',
  'Rows#',
  'Late#',
  'Dead letters#',
];

export function TopicsPage(): VNode {
  const status = useAnswer<Status>('/v1/status', EVERY_MS);
  return (
    <>
      <PageTitle lead="Where each partition stands: the next offset that is not in the online store yet (applied), that is not in a segment yet (sealed), and the end of the log.">
        Topics and partitions
      </PageTitle>
      <Answered answer={status} what="the partitions">
        {({ sources, nowMs }) =>
          sources.length === 0 ? (
            <Empty title="No view reads a topic">
              Partitions show here once a topic source is applied.
            </Empty>
          ) : (
            sources.map(({ source, topic, partitions, gaps }) => (
              <Panel
                key={source}
                title={topic}
                aside={
                  <span class="muted">
                    source <DefinitionLink of={{ kind: 'topicSource', name: source }} />
                  </span>
                }
              >
                <Table label={`Partitions of ${topic}`} head={HEAD}>
                  {partitions.map((partition) => (
                    <PartitionRow key={partition.partition} {...{ partition, nowMs }} />
                  ))}
                </Table>
                <Gaps gaps={gaps} />
              </Panel>
            ))
          )
        }
      </Answered>
    </>
  );
}

function PartitionRow({
  partition: of,
  nowMs,
}: {
  readonly partition: PartitionStatus;
  readonly nowMs: number;
}): VNode {
  const late = Object.entries(of.late);
  return (
    <tr>
      <th scope="row" class="figure">
        {of.partition}
      </th>
      <td>
        <PartitionState of={of} nowMs={nowMs} />
      </td>
      <td class="figure">{formatCount(of.applied)}</td>
      <td class="figure">{formatCount(of.sealed)}</td>
      <td class="figure">{formatCount(of.end)}</td>
      <td class={of.lagRecords > 0 ? 'figure strong' : 'figure'}>{formatCount(of.lagRecords)}</td>
      <td class="time">{of.streamTimeUs === null ? '–' : formatTimeUs(of.streamTimeUs)}</td>
      <td class="figure">
        {of.streamTimeUs === null ? '–' : formatSpan(nowMs - of.streamTimeUs / 1_000)}
      </td>
      <td class="figure">{formatCount(of.rows)}</td>
      <td
        class="figure"
        title={late.map(([view, count]) => `${view}: ${formatCount(count)}`).join('\n')}
      >
        {formatCount(late.reduce((sum, [, count]) => sum + count, 0))}
      </td>
      <td class={of.rejected > 0 ? 'figure bad' : 'figure'}>{formatCount(of.rejected)}</td>
    </tr>
  );
}

function PartitionState({
  of: { idle, retryAtMs, lagRecords },
  nowMs,
}: {
  readonly of: PartitionStatus;
  readonly nowMs: number;
}): VNode {
  if (retryAtMs !== null) {
    return <Badge tone="bad">again in {formatSpan(Math.max(0, retryAtMs - nowMs))}</Badge>;
  }
  if (idle) return <Badge>idle</Badge>;
  return lagRecords === 0 ? (
    <Badge tone="good">caught up</Badge>
  ) : (
    <Badge tone="accent">behind</Badge>
  );
}

function Gaps({ gaps }: { readonly gaps: readonly Gap[] }): VNode | null {
  if (gaps.length === 0) return null;
  return (
    <>
      <p class="note">
        {formatPlural(gaps.length, 'gap')}: records that the log had removed before they were read.
      </p>
      <Table label="Gaps" head={['Partition#', 'From#', 'To#', 'Records#']}>
        {gaps.map(({ partition, fromOffset, toOffset }) => (
          <tr key={`${partition} ${fromOffset}`}>
            <td class="figure">{partition}</td>
            <td class="figure">{formatCount(fromOffset)}</td>
            <td class="figure">{formatCount(toOffset)}</td>
            <td class="figure">{formatCount(toOffset - fromOffset)}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

import type { VNode } from 'preact';
import type { Segment } from '../answers.ts';
import { formatBytes, formatCount, formatPlural, formatTimeUs } from '../format.ts';
import { Answered, Empty, Panel, Table } from '../parts/basics.tsx';
import { Timeline } from '../parts/timeline.tsx';
import { useAnswer } from '../use-answer.ts';

const EVERY_MS = 10_000;

/** The segments of a source: what event time each covers, by partition. */
export function SegmentTimeline({ source }: { readonly source: string }): VNode {
  const answer = useAnswer<readonly Segment[]>(
    `/v1/sources/${encodeURIComponent(source)}/segments`,
    EVERY_MS,
  );
  return (
    <Panel title="Segments" note={`Every row of ${source}, in Parquet, by event time.`}>
      <Answered answer={answer} what="the segments">
        {(segments) => <Segments segments={segments.filter(({ file }) => file !== null)} />}
      </Answered>
    </Panel>
  );
}

function Segments({ segments }: { readonly segments: readonly Segment[] }): VNode {
  if (segments.length === 0) {
    return (
      <Empty title="No segments yet">
        The engine publishes one when its buffer is full, and when it stops.
      </Empty>
    );
  }
  const partitions = [...new Set(segments.map(({ partition }) => partition))].toSorted(
    (a, b) => a - b,
  );
  return (
    <>
      <Timeline
        label={`${formatPlural(segments.length, 'segment')} by event time`}
        rows={partitions.map((partition) => ({
          name: `partition ${partition}`,
          bars: segments
            .filter((segment) => segment.partition === partition)
            .map((segment) => ({
              startUs: segment.minEventTimeUs as number,
              endUs: segment.maxEventTimeUs as number,
              title: `${formatPlural(segment.rowCount, 'row')}, ${formatBytes(segment.bytes)}, offsets ${segment.startOffset} to ${segment.endOffset - 1}`,
            })),
        }))}
      />
      <details>
        <summary>As a table</summary>
        <Table
          label="Segments"
          head={['Partition#', 'From offset#', 'Rows#', 'Bytes#', 'First row', 'Last row']}
        >
          {segments.map((segment) => (
            <tr key={segment.file}>
              <td class="figure">{segment.partition}</td>
              <td class="figure">{formatCount(segment.startOffset)}</td>
              <td class="figure">{formatCount(segment.rowCount)}</td>
              <td class="figure">{formatBytes(segment.bytes)}</td>
              <td class="time">{formatTimeUs(segment.minEventTimeUs as number)}</td>
              <td class="time">{formatTimeUs(segment.maxEventTimeUs as number)}</td>
            </tr>
          ))}
        </Table>
      </details>
    </>
  );
}

import type { VNode } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { Catalogue, Difference, Interval, Verification, ViewSpec } from '../answers.ts';
import { type AskError, ask, toAskError } from '../ask.ts';
import { formatCount, formatPlural, formatTimeUs, formatValue } from '../format.ts';
import { useLive } from '../live.tsx';
import {
  Answered,
  Badge,
  DefinitionLink,
  Empty,
  Failure,
  PageTitle,
  Panel,
  Table,
} from '../parts/basics.tsx';
import { Timeline } from '../parts/timeline.tsx';
import { useAnswer } from '../use-answer.ts';

const DIFFERENCES_MAX = 200;

export function ChecksPage(): VNode {
  const { catalogue } = useLive();
  return (
    <>
      <PageTitle lead="Whether training sees what serving saw, and which batch history was loaded.">
        Parity and backfills
      </PageTitle>
      <Answered answer={catalogue} what="the views">
        {(data) => (
          <>
            <Parity catalogue={data} />
            <Backfills catalogue={data} />
          </>
        )}
      </Answered>
    </>
  );
}

function specsOf({ definitions }: Catalogue): { name: string; spec: ViewSpec }[] {
  return definitions
    .filter(({ kind }) => kind === 'featureView')
    .map(({ name, spec }) => ({ name, spec: spec as unknown as ViewSpec }));
}

function Parity({ catalogue }: { readonly catalogue: Catalogue }): VNode {
  const names = specsOf(catalogue)
    .filter(({ spec: { online, offline, enabled } }) => online && offline && enabled)
    .map(({ name }) => name);
  const [view, setView] = useState('');
  const [isRunning, setIsRunning] = useState(false);
  const [error, setError] = useState<AskError | null>(null);
  const [result, setResult] = useState<Verification | null>(null);
  const id = useId();
  const run = async (event: Event): Promise<void> => {
    event.preventDefault();
    setIsRunning(true);
    setError(null);
    try {
      const body = view === '' ? {} : { views: [view] };
      setResult(await ask<Verification>('/v1/verify', { body }));
    } catch (thrown) {
      setResult(null);
      setError(toAskError(thrown));
    }
    setIsRunning(false);
  };
  return (
    <Panel
      title="Parity"
      note="Values that the online store serves are compared, bit for bit, with the same values joined from the segments; plain aggregations are compared with plain SQL, too."
    >
      <form class="lookup" onSubmit={(event) => void run(event)}>
        <div class="field">
          <label for={id}>View</label>
          <select
            id={id}
            value={view}
            onChange={({ currentTarget }) => setView(currentTarget.value)}
          >
            <option value="">all views</option>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </div>
        <button type="submit" class="primary" disabled={isRunning || names.length === 0}>
          {isRunning ? 'Comparing…' : 'Compare'}
        </button>
      </form>
      {error !== null && <Failure error={error} />}
      <div role="status">
        {result !== null && <Result result={result} />}
        {result === null && error === null && (
          <Empty title={isRunning ? 'Comparing both sides…' : 'Nothing compared yet'}>
            A sample of 200 entities a view; <code>freshet verify</code> takes other samples.
          </Empty>
        )}
      </div>
    </Panel>
  );
}

function Result({ result: { same, views } }: { readonly result: Verification }): VNode {
  const differences = views.flatMap(({ view, differences }) =>
    differences.map((difference) => ({ view, difference })),
  );
  const values = views.reduce((sum, of) => sum + of.values, 0);
  return (
    <>
      <p class={!same ? 'fault' : values === 0 ? 'note' : 'done'}>
        {!same
          ? `${formatPlural(differences.length, 'value differs', 'values differ')}.`
          : values === 0
            ? 'There was nothing to compare: no entity is in the online store.'
            : 'Both sides agree to the last bit.'}
      </p>
      <Table
        label="Compared"
        head={['View', 'Result', 'Entities#', 'Times#', 'Values#', 'By SQL, too#', 'Differences#']}
      >
        {views.map(({ view, entities, times, values, sqlValues, differences }) => (
          <tr key={view}>
            <th scope="row">
              <DefinitionLink of={{ kind: 'featureView', name: view }} />
            </th>
            <td>
              {differences.length === 0 ? (
                <Badge tone="good">same</Badge>
              ) : (
                <Badge tone="bad">differs</Badge>
              )}
            </td>
            <td class="figure">{formatCount(entities)}</td>
            <td class="figure" title={times.join('\n')}>
              {times.length}
            </td>
            <td class="figure">{formatCount(values)}</td>
            <td class="figure">{formatCount(sqlValues)}</td>
            <td class="figure">{formatCount(differences.length)}</td>
          </tr>
        ))}
      </Table>
      {differences.length > 0 && <Differences differences={differences} />}
    </>
  );
}

const KINDS = {
  mismatch: 'other value',
  missing: 'not served',
  extra: 'not in history',
  sql: 'SQL differs',
} as const;

function Differences({
  differences,
}: {
  readonly differences: readonly { readonly view: string; readonly difference: Difference }[];
}): VNode {
  return (
    <>
      <h3>Differences</h3>
      {differences.length > DIFFERENCES_MAX && <p class="note">The first {DIFFERENCES_MAX}.</p>}
      <Table
        label="Differences"
        head={['View', 'What', 'Entity', 'Feature', 'Time', 'Served', 'Recomputed']}
      >
        {differences.slice(0, DIFFERENCES_MAX).map(({ view, difference }, i) => (
          <tr key={i}>
            <th scope="row" class="name">
              {view}
            </th>
            <td>
              <Badge tone="bad">{KINDS[difference.kind]}</Badge>
            </td>
            <td class="name">{Object.values(difference.entity).map(formatValue).join(', ')}</td>
            <td class="name">{difference.feature}</td>
            <td class="time">{difference.time.replace('T', ' ').replace(/Z$/, '')}</td>
            <td class="value">{formatValue(difference.online)}</td>
            <td class="value">{formatValue(difference.recomputed)}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

function Backfills({ catalogue }: { readonly catalogue: Catalogue }): VNode {
  const views = specsOf(catalogue).filter(({ spec: { batchSource } }) => batchSource !== null);
  return (
    <Panel title="Backfills" note="Ranges of event time that were loaded from batch history.">
      {views.length === 0 ? (
        <Empty title="No view has batch history">
          A view with a Parquet source is filled by <code>freshet materialize</code>.
        </Empty>
      ) : (
        views.map(({ name }) => <Intervals key={name} view={name} />)
      )}
    </Panel>
  );
}

function Intervals({ view }: { readonly view: string }): VNode {
  const path = `/v1/views/${encodeURIComponent(view)}/materializations`;
  const answer = useAnswer<readonly Interval[]>(path);
  return (
    <section class="intervals">
      <h3>
        <DefinitionLink of={{ kind: 'featureView', name: view }} />
      </h3>
      <Answered answer={answer} what="the intervals">
        {(intervals) =>
          intervals.length === 0 ? (
            <Empty title="Not loaded yet">
              <code>freshet materialize-incremental</code> loads what is new.
            </Empty>
          ) : (
            <Timeline
              label={formatPlural(intervals.length, 'interval')}
              rows={[
                {
                  name: formatPlural(intervals.length, 'interval'),
                  bars: intervals.map(({ startUs, endUs }) => ({
                    ...{ startUs, endUs },
                    title: `${formatTimeUs(startUs)} to ${formatTimeUs(endUs)}`,
                  })),
                },
              ]}
            />
          )
        }
      </Answered>
    </section>
  );
}

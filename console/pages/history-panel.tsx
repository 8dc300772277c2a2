import type { VNode } from 'preact';
import { useEffect, useId, useMemo, useState } from 'preact/hooks';
import type { History } from '../answers.ts';
import { type AskError, ask, toAskError } from '../ask.ts';
import { formatCompact, formatPlural, formatTimeUs, formatValue } from '../format.ts';
import { Empty, Failure, Loading, Panel, Table } from '../parts/basics.tsx';
import { Chart } from '../parts/chart.tsx';

const POINTS = 300;
const DAY_US = 86_400e6;
/** Before the last row of the entity; null: all its rows. */
const RANGES = [
  ['all', null],
  ['30 days', 30 * DAY_US],
  ['7 days', 7 * DAY_US],
  ['1 day', DAY_US],
  ['1 hour', DAY_US / 24],
] as const;
/** Types that a line can show. */
const FIGURES = /^(int32|int64|float32|float64|bool)$/;
const TABLE_ROWS_MAX = 50;

interface Props {
  readonly view: string;
  readonly schema: Readonly<Record<string, string>>;
  readonly entity: Readonly<Record<string, string | boolean>>;
}

/** The values of an entity over time, as a training set would see them. */
export function HistoryPanel({ view, schema, entity }: Props): VNode {
  const features = Object.keys(schema);
  const first = features.find((name) => FIGURES.test(schema[name] as string)) ?? features[0] ?? '';
  const [feature, setFeature] = useState(first);
  const [range, setRange] = useState<number | null>(null);
  const { history, error } = useHistory(view, entity, range);
  const id = useId();
  const title =
    Object.entries(entity)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ') || view;
  return (
    <Panel
      title={`History of ${title}`}
      note="As a join from the segments gives them; rows that are in no segment yet are missing."
      aside={
        <div class="field inline">
          <label for={id}>Feature</label>
          <select
            id={id}
            value={feature}
            onChange={({ currentTarget }) => setFeature(currentTarget.value)}
          >
            {features.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </div>
      }
    >
      <fieldset class="ranges">
        <legend class="visually-hidden">Range before the last row</legend>
        {RANGES.map(([name, us]) => (
          <button
            key={name}
            type="button"
            class="small"
            aria-pressed={range === us}
            onClick={() => setRange(us)}
          >
            {name}
          </button>
        ))}
      </fieldset>
      {error !== null && <Failure error={error} />}
      {history === null && error === null && <Loading what="the history" />}
      {history !== null && (
        <Shown history={history} feature={feature} type={schema[feature] as string} />
      )}
    </Panel>
  );
}

function Shown({
  history,
  feature,
  type,
}: {
  readonly history: History;
  readonly feature: string;
  readonly type: string;
}): VNode {
  const { rows, timesUs, values } = history;
  const times = useMemo(() => timesUs.map((us) => us / 1e6), [timesUs]);
  const of = values[feature] ?? [];
  const figures = useMemo(() => of.map(toFigure), [of]);
  if (timesUs.length === 0) {
    return (
      <Empty title="No rows in history">
        {rows === 0
          ? 'No segment and no file has a row of this entity.'
          : `Its ${formatPlural(rows, 'row')} are of another time.`}
      </Empty>
    );
  }
  const table = <ValueTable timesUs={timesUs} values={of} />;
  if (!FIGURES.test(type)) return table;
  return (
    <>
      <Chart
        key={`${feature} ${timesUs[0]} ${timesUs.length}`}
        label={`${feature} over time, ${formatPlural(timesUs.length, 'point')}`}
        times={times}
        values={figures}
        format={type === 'bool' ? String : formatCompact}
        height={260}
        steps
      />
      <details>
        <summary>As a table; the entity has {formatPlural(rows, 'row')} in history</summary>
        {table}
      </details>
    </>
  );
}

function ValueTable({
  timesUs,
  values,
}: {
  readonly timesUs: readonly number[];
  readonly values: readonly unknown[];
}): VNode {
  const newest = timesUs.map((us, i) => [us, values[i]] as const).toReversed();
  return (
    <Table label="Values over time, newest first" head={['Time', 'Value']}>
      {newest.slice(0, TABLE_ROWS_MAX).map(([us, value]) => (
        <tr key={us}>
          <td class="time">{formatTimeUs(us)}</td>
          <td class="value">{formatValue(value)}</td>
        </tr>
      ))}
    </Table>
  );
}

function useHistory(
  view: string,
  entity: Props['entity'],
  range: number | null,
): { readonly history: History | null; readonly error: AskError | null } {
  const [history, setHistory] = useState<History | null>(null);
  const [error, setError] = useState<AskError | null>(null);
  const lastUs = history?.lastUs ?? null;
  useEffect(() => {
    const stopped = new AbortController();
    const { signal } = stopped;
    const isShort = range !== null && lastUs !== null;
    ask<History>(`/v1/views/${encodeURIComponent(view)}/history`, {
      body: { entity, pointsMax: POINTS, ...(isShort && { startTime: lastUs - range }) },
      signal,
    }).then(
      (answer) => {
        if (signal.aborted) return;
        setHistory(answer);
        setError(null);
      },
      (thrown) => {
        if (!signal.aborted) setError(toAskError(thrown));
      },
    );
    return () => stopped.abort();
    // The last row is read from the first answer: another one does not ask again.
  }, [view, entity, range]);
  return { history, error };
}

/** JSON has no NaN, and an int64 beyond 2^53 as text: a line needs no such digits. */
function toFigure(value: unknown): number | null {
  const figure = value === null ? Number.NaN : Number(value);
  return Number.isFinite(figure) ? figure : null;
}

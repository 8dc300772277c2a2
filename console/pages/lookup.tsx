import type { VNode } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { Receipt, Values, ViewSpec } from '../answers.ts';
import { type AskError, ask, toAskError } from '../ask.ts';
import { formatTimeUs, formatValue } from '../format.ts';
import { keyInput, parseKey } from '../key-input.ts';
import { useLive } from '../live.tsx';
import { Badge, Failure, Panel, Table } from '../parts/basics.tsx';
import { useAnswer } from '../use-answer.ts';
import { HistoryPanel } from './history-panel.tsx';

type Entity = Readonly<Record<string, string | boolean>>;

interface Found {
  readonly entity: Entity;
  readonly values: Values;
}

/** Beyond this age of the stream, windows at "now" would be empty: stream time is the better default. */
const OLD_MS = 3_600_000;
const SUGGESTIONS = 50;

/** The value of one entity as it is served, and how it was. */
export function Lookup({ view, spec }: { readonly view: string; readonly spec: ViewSpec }): VNode {
  const [found, setFound] = useState<Found | null>(null);
  const [error, setError] = useState<AskError | null>(null);
  const look = async (entity: Entity, asOfUs: number | null): Promise<void> => {
    try {
      const values = await ask<Values>('/v1/online-features', {
        body: {
          features: Object.keys(spec.schema).map((feature) => `${view}:${feature}`),
          entityRows: [entity],
          includeReceipt: true,
          ...(asOfUs !== null && { asOf: asOfUs }),
        },
      });
      setFound({ entity, values });
      setError(null);
    } catch (thrown) {
      setFound(null);
      setError(toAskError(thrown));
    }
  };
  return (
    <div class={found !== null && spec.offline ? 'columns' : ''}>
      <Panel title="Look up a value">
        <LookupForm view={view} spec={spec} onLook={look} />
        {error !== null && <Failure error={error} />}
        {found !== null && <FoundValues view={view} spec={spec} values={found.values} />}
      </Panel>
      {found !== null && spec.offline && (
        <HistoryPanel
          key={JSON.stringify(found.entity)}
          view={view}
          schema={spec.schema}
          entity={found.entity}
        />
      )}
    </div>
  );
}

function LookupForm({
  view,
  spec: { joinKeys, streamSource },
  onLook,
}: {
  readonly view: string;
  readonly spec: ViewSpec;
  readonly onLook: (entity: Entity, asOfUs: number | null) => Promise<void>;
}): VNode {
  const streamTimeUs = useStreamTimeUs(streamSource);
  const { data } = useLive().overview;
  const isOld =
    streamTimeUs !== null && data !== null && data.nowMs - streamTimeUs / 1_000 > OLD_MS;
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>({});
  const [faults, setFaults] = useState<Readonly<Record<string, string>>>({});
  const [asOf, setAsOf] = useState<'now' | 'stream' | null>(null);
  const chosen = asOf ?? (isOld ? 'stream' : 'now');
  const suggestions = useSuggestions(view);
  const asOfId = useId();
  const submit = (event: Event): void => {
    event.preventDefault();
    const parsed = Object.entries(joinKeys).map(
      ([key, type]) => [key, parseKey(type, texts[key] ?? '')] as const,
    );
    const wrong = parsed.flatMap(([key, p]) => ('fault' in p ? [[key, p.fault]] : []));
    setFaults(Object.fromEntries(wrong));
    if (wrong.length > 0) return;
    const entity = parsed.map(([key, p]) => [key, (p as { value: string | boolean }).value]);
    void onLook(Object.fromEntries(entity), chosen === 'stream' ? streamTimeUs : null);
  };
  return (
    <form class="lookup" onSubmit={submit} noValidate>
      {Object.entries(joinKeys).map(([key, type]) => (
        <KeyField
          key={key}
          {...{ name: key, type }}
          text={texts[key] ?? ''}
          fault={faults[key] ?? null}
          suggestions={suggestions.map((row) => row[key]).filter((of) => of !== undefined)}
          onText={(text) => setTexts((before) => ({ ...before, [key]: text }))}
        />
      ))}
      {streamTimeUs !== null && (
        <div class="field">
          <label for={asOfId}>As of</label>
          <select
            id={asOfId}
            value={chosen}
            onChange={({ currentTarget }) => setAsOf(currentTarget.value as 'now' | 'stream')}
          >
            <option value="now">now</option>
            <option value="stream">stream time, {formatTimeUs(streamTimeUs).slice(0, 16)}</option>
          </select>
        </div>
      )}
      <button type="submit" class="primary">
        Look up
      </button>
    </form>
  );
}

function KeyField({
  name,
  type,
  text,
  fault,
  suggestions,
  onText,
}: {
  readonly name: string;
  readonly type: string;
  readonly text: string;
  readonly fault: string | null;
  readonly suggestions: readonly unknown[];
  readonly onText: (text: string) => void;
}): VNode {
  const id = useId();
  const { hint, inputMode } = keyInput(type);
  return (
    <div class="field">
      <label for={id}>
        {name} <span class="type">{type}</span>
      </label>
      <input
        id={id}
        value={text}
        inputMode={inputMode}
        placeholder={hint}
        autocomplete="off"
        spellcheck={false}
        list={`${id}-list`}
        aria-invalid={fault !== null}
        aria-describedby={fault === null ? undefined : `${id}-fault`}
        onInput={({ currentTarget }) => onText(currentTarget.value)}
      />
      <datalist id={`${id}-list`}>
        {[...new Set(suggestions.map(String))].map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      {fault !== null && (
        <span class="fault" id={`${id}-fault`} role="alert">
          {fault}
        </span>
      )}
    </div>
  );
}

function FoundValues({
  view,
  spec: { schema },
  values: { rows, statuses, eventTimestamps, receipts },
}: {
  readonly view: string;
  readonly spec: ViewSpec;
  readonly values: Values;
}): VNode {
  const features = Object.keys(schema);
  const times = features.map((feature) => timeText(eventTimestamps[0]?.[feature] ?? null));
  // One time for all is said once: windows are of the time they were read at.
  const isOneTime = new Set(times).size === 1;
  const head = ['Feature', 'Value', 'Status'];
  return (
    <div role="status">
      <Table label="Values" head={isOneTime ? head : [...head, 'Event time']}>
        {features.map((feature, i) => (
          <tr key={feature}>
            <th scope="row" class="name">
              {feature}
            </th>
            <td class="value">{formatValue(rows[0]?.[feature])}</td>
            <td>
              <StatusBadge status={statuses[0]?.[feature] ?? ''} />
            </td>
            {!isOneTime && <td class="time">{times[i]}</td>}
          </tr>
        ))}
      </Table>
      <Origin receipt={receipts?.[view]?.[0]} eventTime={isOneTime ? times[0] : undefined} />
    </div>
  );
}

const STATUSES: Readonly<Record<string, readonly ['good' | 'plain' | 'warn', string]>> = {
  PRESENT: ['good', 'present'],
  NULL_VALUE: ['plain', 'null'],
  NOT_FOUND: ['plain', 'not found'],
  OUTSIDE_MAX_AGE: ['warn', 'older than the TTL'],
};

function StatusBadge({ status }: { readonly status: string }): VNode {
  const [tone, text] = STATUSES[status] ?? ['plain', status];
  return <Badge tone={tone}>{text}</Badge>;
}

function Origin({
  receipt,
  eventTime = '–',
}: {
  readonly receipt: Receipt | undefined;
  readonly eventTime: string | undefined;
}): VNode {
  const { topic = null, partition, appliedOffset, streamTimeUs = null } = receipt ?? {};
  return (
    <p class="note">
      {eventTime !== '–' && `Event time ${eventTime}. `}
      {topic !== null && `From ${topic}[${partition}], applied up to offset ${appliedOffset}`}
      {topic !== null && streamTimeUs !== null && `, stream time ${formatTimeUs(streamTimeUs)}`}
      {topic !== null && '.'}
    </p>
  );
}

function timeText(iso: string | null): string {
  return iso === null ? '–' : iso.replace('T', ' ').replace(/(\.0+)?Z$/, '');
}

function useStreamTimeUs(source: string | null): number | null {
  const { data } = useLive().overview;
  return data?.sources.find((s) => s.source === source)?.streamTimeUs ?? null;
}

/** Some entities that are there, so that a first try finds something. */
function useSuggestions(view: string): Values['rows'] {
  const path = `/v1/views/${encodeURIComponent(view)}/values?limit=${SUGGESTIONS}`;
  return useAnswer<Values>(path).data?.rows ?? [];
}

import type { ComponentChildren, VNode } from 'preact';
import type { DefinitionName } from '../answers.ts';
import type { AskError } from '../ask.ts';
import { hashOf } from '../route.ts';
import type { Answer } from '../use-answer.ts';

type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'accent';

/** The title of a page: where the keyboard is put when the page opens. */
export function PageTitle({
  children,
  lead,
}: {
  readonly children: ComponentChildren;
  readonly lead?: ComponentChildren;
}): VNode {
  return (
    <header class="page-title">
      <h1 tabIndex={-1}>{children}</h1>
      {lead !== undefined && <p class="lead">{lead}</p>}
    </header>
  );
}

export function Panel({
  title,
  note,
  aside,
  children,
}: {
  readonly title: string;
  readonly note?: ComponentChildren;
  /** At the right of the title. */
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}): VNode {
  return (
    <section class="panel">
      <header class="panel-head">
        <h2>{title}</h2>
        {aside}
      </header>
      {note !== undefined && <p class="note">{note}</p>}
      {children}
    </section>
  );
}

export function Badge({
  tone = 'plain',
  children,
}: {
  readonly tone?: Tone;
  readonly children: ComponentChildren;
}): VNode {
  return <span class={`badge ${tone}`}>{children}</span>;
}

export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): VNode {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children !== undefined && <span>{children}</span>}
    </div>
  );
}

export function Failure({
  error,
  onRetry,
}: {
  readonly error: AskError;
  readonly onRetry?: () => void;
}): VNode {
  return (
    <div class="failure" role="alert">
      <strong>{sentence(error.message)}</strong>
      {error.next !== '' && <span>{error.next}</span>}
      <span class="failure-foot">
        <code>{error.code}</code>
        {onRetry !== undefined && (
          <button type="button" class="small" onClick={onRetry}>
            Try again
          </button>
        )}
      </span>
    </div>
  );
}

export function Loading({ what }: { readonly what: string }): VNode {
  return (
    <div class="loading" role="status">
      <span class="visually-hidden">Loading {what}</span>
      <span class="bone" />
      <span class="bone short" />
    </div>
  );
}

/** The three states of an answer: waiting, failed, there. Data that are old stay under the failure. */
export function Answered<T>({
  answer,
  what,
  children,
}: {
  readonly answer: Answer<T>;
  readonly what: string;
  readonly children: (data: T) => ComponentChildren;
}): VNode {
  const { data, error, refresh } = answer;
  return (
    <>
      {error !== null && <Failure error={error} onRetry={refresh} />}
      {data !== null && children(data)}
      {data === null && error === null && <Loading what={what} />}
    </>
  );
}

/** A table that scrolls sideways by itself where the page is narrow. */
export function Table({
  label,
  head,
  children,
}: {
  readonly label: string;
  /** Names of columns; one that ends in `#` has figures. */
  readonly head: readonly string[];
  readonly children: ComponentChildren;
}): VNode {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col" class={name.endsWith('#') ? 'figure' : ''}>
                {name.replace(/#$/, '')}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

export function Facts({
  rows,
}: {
  readonly rows: readonly (readonly [name: string, value: ComponentChildren])[];
}): VNode {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Text as it is, long lines broken. */
export function Code({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
}): VNode {
  return (
    <figure class="code">
      <figcaption>{title}</figcaption>
      <pre>{children}</pre>
    </figure>
  );
}

export function DefinitionLink({ of }: { readonly of: DefinitionName }): VNode {
  return (
    <a href={hashOf(of)} class={`definition ${of.kind}`}>
      {of.name}
    </a>
  );
}

export const KIND_NAMES = {
  entity: 'entity',
  topicSource: 'topic source',
  parquetSource: 'Parquet source',
  requestSource: 'request source',
  featureView: 'feature view',
  onDemandFeatureView: 'on-demand view',
  featureService: 'feature service',
} as const;

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

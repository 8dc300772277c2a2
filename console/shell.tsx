import type { ComponentChildren, VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { useLive } from './live.tsx';
import { type Route, SEARCH } from './route.ts';
import { type Theme, useTheme } from './theme.tsx';

const PAGES = [
  { hash: '#/', page: 'overview', name: 'Overview', icon: 'M2 12c4-5 6 3 10 0s6-5 10 0' },
  { hash: '#/catalogue', page: 'catalogue', name: 'Catalogue', icon: 'M4 4h7v16H4zM13 4h7v16h-7z' },
  { hash: '#/topics', page: 'topics', name: 'Topics', icon: 'M3 6h18M3 12h18M3 18h18' },
  {
    hash: '#/dead-letters',
    page: 'dead-letters',
    name: 'Dead letters',
    icon: 'M3 6h18v12H3zM3 7l9 7 9-7',
  },
  { hash: '#/checks', page: 'checks', name: 'Parity & backfills', icon: 'M4 12l5 5L20 6' },
] as const;

/** The frame of every page: where one is, whether all is well, light or dark. */
export function Shell({
  route,
  onForgetKey,
  children,
}: {
  readonly route: Route;
  readonly onForgetKey: () => void;
  readonly children: ComponentChildren;
}): VNode {
  useSearchKey();
  useCurrentInSight(route.page);
  const current = route.page === 'definition' ? 'catalogue' : route.page;
  return (
    <div class="shell">
      <button
        type="button"
        class="skip"
        onClick={() => document.getElementById('content')?.focus()}
      >
        Skip to the page
      </button>
      <header class="bar">
        <a class="brand" href="#/">
          <Icon path="M2 9c4-5 6 3 10 0s6-5 10 0M2 16c4-5 6 3 10 0s6-5 10 0" />
          Freshet
        </a>
        <nav aria-label="Pages">
          <ul>
            {PAGES.map(({ hash, page, name, icon }) => (
              <li key={page}>
                <a href={hash} aria-current={page === current ? 'page' : undefined}>
                  <Icon path={icon} />
                  {name}
                  {page === 'dead-letters' && <Rejected />}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="bar-foot">
          <Wellness />
          <KeyState onForgetKey={onForgetKey} />
          <ThemeChoice />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function Icon({ path }: { readonly path: string }): VNode {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

function Rejected(): VNode | null {
  const { data } = useLive().overview;
  const rejected = data?.sources.reduce((sum, { rejected }) => sum + rejected, 0) ?? 0;
  if (rejected === 0) return null;
  return <span class="count">{rejected > 999 ? '999+' : rejected}</span>;
}

/** The one light that says whether to worry. */
function Wellness(): VNode {
  const { overview, catalogue } = useLive();
  const { data, error } = overview;
  const [tone, text] =
    error !== null
      ? (['bad', error.status === 0 ? 'No answer' : 'Not known'] as const)
      : data === null
        ? (['plain', 'Asking…'] as const)
        : data.health.status === 'unhealthy'
          ? (['bad', 'Unhealthy'] as const)
          : (['good', data.engine === 'none' ? 'Serving, no engine' : 'Healthy'] as const);
  return (
    <p class="wellness" role="status">
      <span class={`dot ${tone}`} />
      <span>{text}</span>
      {catalogue.data !== null && <span class="muted project">{catalogue.data.project}</span>}
    </p>
  );
}

function KeyState({ onForgetKey }: { readonly onForgetKey: () => void }): VNode | null {
  const { key } = useLive().access;
  if (key === null) return null;
  return (
    <p class="key-state">
      <span class="muted">key</span> {key}
      <button type="button" class="small" onClick={onForgetKey}>
        Forget
      </button>
    </p>
  );
}

function ThemeChoice(): VNode {
  const { chosen, choose } = useTheme();
  return (
    <label class="theme">
      <span class="visually-hidden">Colours</span>
      <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value as Theme)}>
        <option value="system">Auto</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

/** Where the names of pages scroll sideways, that of this page is in sight. */
function useCurrentInSight(page: string): void {
  useEffect(() => {
    const current = page && document.querySelector('nav [aria-current]');
    if (current) current.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [page]);
}

/** `/` goes to the search of the page, or to the catalogue's. */
function useSearchKey(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { key, target, ctrlKey, metaKey, altKey } = event;
      if (key !== '/' || ctrlKey || metaKey || altKey) return;
      if (target instanceof Element && target.closest('input, textarea, select, dialog')) return;
      event.preventDefault();
      const search = document.querySelector<HTMLElement>('input[type=search]');
      if (search !== null) search.focus();
      else location.hash = `#/catalogue${SEARCH}`;
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Access } from './answers.ts';
import { setSessionKey } from './ask.ts';
import { KeyModal } from './key-modal.tsx';
import { LiveProvider } from './live.tsx';
import { CataloguePage } from './pages/catalogue.tsx';
import { ChecksPage } from './pages/checks.tsx';
import { DeadLettersPage } from './pages/dead-letters.tsx';
import { DefinitionPage } from './pages/definition.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { TopicsPage } from './pages/topics.tsx';
import { ViewPage } from './pages/view.tsx';
import { Empty, Failure, Loading, PageTitle } from './parts/basics.tsx';
import { type Route, SEARCH } from './route.ts';
import { Shell } from './shell.tsx';
import { useAnswer } from './use-answer.ts';
import { useRoute } from './use-route.ts';

/** The console: who asks, then the page of the address. */
export function App(): VNode {
  const access = useAnswer<Access>('/v1/access');
  const [isAsking, setIsAsking] = useState(false);
  const { data, error, refresh } = access;
  const isRefused = error?.status === 401 || data?.read === false;
  const onKey = (key: string | null): void => {
    setSessionKey(key);
    setIsAsking(false);
    refresh();
  };
  const modal = (isRefused || isAsking) && (
    <KeyModal
      onKey={onKey}
      fault={error?.status === 401 ? 'The server does not know this key.' : null}
      {...(!isRefused && { onClose: () => setIsAsking(false) })}
    />
  );
  if (data === null || isRefused) {
    return (
      <main class="gate">
        {modal}
        {error !== null && !isRefused && <Failure error={error} onRetry={refresh} />}
        {error === null && data === null && <Loading what="the console" />}
      </main>
    );
  }
  return (
    <LiveProvider access={data} askKey={() => setIsAsking(true)}>
      <Pages onForgetKey={() => onKey(null)} />
      {modal}
    </LiveProvider>
  );
}

function Pages({ onForgetKey }: { readonly onForgetKey: () => void }): VNode {
  const route = useRoute();
  const place = JSON.stringify(route);
  useEffect(() => {
    const title = document.querySelector<HTMLElement>('main h1');
    document.title = `${title?.textContent ?? 'Console'} · Freshet`;
    scrollTo(0, 0);
    // Not when the console opens: then the browser's own start of the page is right.
    const isOpening = document.activeElement === document.body && location.hash === '';
    if (!isOpening && !location.hash.endsWith(SEARCH)) title?.focus();
  }, [place]);
  return (
    <Shell route={route} onForgetKey={onForgetKey}>
      <Page key={place} route={route} />
    </Shell>
  );
}

function Page({ route }: { readonly route: Route }): VNode {
  switch (route.page) {
    case 'overview':
      return <OverviewPage />;
    case 'catalogue':
      return <CataloguePage />;
    case 'definition':
      return route.kind === 'featureView' ? (
        <ViewPage name={route.name} />
      ) : (
        <DefinitionPage kind={route.kind} name={route.name} />
      );
    case 'topics':
      return <TopicsPage />;
    case 'dead-letters':
      return <DeadLettersPage />;
    case 'checks':
      return <ChecksPage />;
    default:
      return (
        <>
          <PageTitle>No such page</PageTitle>
          <Empty title={`There is nothing at ${route.hash}`}>
            <a href="#/">Go to the overview</a>
          </Empty>
        </>
      );
  }
}

import { useCallback, useEffect, useState } from 'preact/hooks';
import { type AskError, ask, toAskError } from './ask.ts';

/** What is known of an answer. After a failure the last data stay, beside the error. */
export interface Answer<T> {
  readonly data: T | null;
  readonly error: AskError | null;
  /** Asks again now. */
  readonly refresh: () => void;
}

interface Known<T> {
  readonly path: string | null;
  readonly data: T | null;
  readonly error: AskError | null;
}

/**
 * Asks for a path; null asks for nothing. With `everyMs` it asks again that long after each answer,
 * while the page is visible.
 */
export function useAnswer<T>(path: string | null, everyMs: number | null = null): Answer<T> {
  const [known, setKnown] = useState<Known<T>>({ path: null, data: null, error: null });
  const [round, setRound] = useState(0);
  const refresh = useCallback(() => setRound((before) => before + 1), []);
  useEffect(() => {
    if (path === null) return;
    return poll<T>(path, everyMs, (data, error) =>
      setKnown((before) => ({
        path,
        data: data ?? (before.path === path ? before.data : null),
        error,
      })),
    );
  }, [path, everyMs, round]);
  const isOfPath = known.path === path;
  return { data: isOfPath ? known.data : null, error: isOfPath ? known.error : null, refresh };
}

/** Starts to ask, and gives what stops it. One request at a time; none while the page is hidden. */
function poll<T>(
  path: string,
  everyMs: number | null,
  tell: (data: T | null, error: AskError | null) => void,
): () => void {
  const stopped = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isAsking = false;
  const run = async (): Promise<void> => {
    clearTimeout(timer);
    isAsking = true;
    try {
      const data = await ask<T>(path, { signal: stopped.signal });
      if (!stopped.signal.aborted) tell(data, null);
    } catch (thrown) {
      if (!stopped.signal.aborted) tell(null, toAskError(thrown));
    }
    isAsking = false;
    if (everyMs !== null && !document.hidden && !stopped.signal.aborted) {
      timer = setTimeout(run, everyMs);
    }
  };
  const onVisibility = (): void => {
    clearTimeout(timer);
    if (!document.hidden && everyMs !== null && !isAsking) void run();
  };
  document.addEventListener('visibilitychange', onVisibility);
  void run();
  return () => {
    stopped.abort();
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', onVisibility);
  };
}

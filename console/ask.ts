/** Requests to the server that the page came from, with the key of this tab if it has one. */

const KEY = 'freshet-key';

/** A refusal of the server, or its silence. */
export class AskError extends Error {
  /** Of HTTP; 0 when there was no answer. */
  readonly status: number;
  readonly code: string;
  readonly next: string;

  constructor(status: number, code: string, message: string, next: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.next = next;
  }
}

/** GETs, or POSTs a body as JSON. @throws AskError */
export async function ask<T>(
  path: string,
  { body, signal }: { readonly body?: object; readonly signal?: AbortSignal } = {},
): Promise<T> {
  const key = sessionKey();
  const response = await fetch(path, {
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
    ...(signal && { signal }),
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(key !== null && { authorization: `Bearer ${key}` }),
    },
  }).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw new AskError(0, 'NO_ANSWER', 'the server does not answer', 'Is it still running?');
  });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer as T;
  const { code = 'INTERNAL', message = `HTTP ${response.status}`, next = '' } = answer ?? {};
  throw new AskError(response.status, code, message, next);
}

function sessionKey(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Kept until the tab is closed, in this tab alone; null forgets it. */
export function setSessionKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, key);
}

export function toAskError(thrown: unknown): AskError {
  if (thrown instanceof AskError) return thrown;
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return new AskError(0, 'INTERNAL', what, 'Load the page again.');
}

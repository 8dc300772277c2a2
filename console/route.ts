import type { Kind } from './answers.ts';

/** A page of the console, as the hash of its address names it. */
export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'catalogue' }
  | { readonly page: 'definition'; readonly kind: Kind; readonly name: string }
  | { readonly page: 'topics' }
  | { readonly page: 'dead-letters' }
  | { readonly page: 'checks' }
  | { readonly page: 'unknown'; readonly hash: string };

/** Behind the hash of the catalogue: go to its search. */
export const SEARCH = '?search';

const PLAIN = ['overview', 'catalogue', 'topics', 'dead-letters', 'checks'] as const;
const KINDS: readonly string[] = [
  'entity',
  'topicSource',
  'parquetSource',
  'requestSource',
  'featureView',
  'onDemandFeatureView',
  'featureService',
] satisfies Kind[];

/** Of `location.hash`; without one the overview. What follows a question mark is the page's own. */
export function parseRoute(hash: string): Route {
  const [page = '', kind = '', ...rest] = hash
    .replace(/^#?\/?/, '')
    .replace(/\?.*$/, '')
    .split('/');
  if (page === '') return { page: 'overview' };
  const plain = PLAIN.find((name) => name === page);
  if (plain !== undefined && kind === '') return { page: plain };
  const name = decoded(rest.join('/'));
  if (page === 'catalogue' && KINDS.includes(kind) && name) {
    return { page: 'definition', kind: kind as Kind, name };
  }
  return { page: 'unknown', hash };
}

/** The hash of a definition's page. */
export function hashOf({ kind, name }: { readonly kind: Kind; readonly name: string }): string {
  return `#/catalogue/${kind}/${encodeURIComponent(name)}`;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a percent sign that begins nothing
  }
}

/**
 * Who may ask for what. A key is compared by its SHA-256, in the same time whether it is right or
 * wrong. Requests without a key get what `server.anonymous` says, and must come to the server by a
 * name of this machine and from no page of another site: otherwise any page that a person visits
 * could ask a server on their machine.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ServerConfig } from '../config/index.ts';
import { FreshetError } from '../errors.ts';
import type { Scope } from './route.ts';

/** Who sent a request. */
export interface Caller {
  /** Name of the key; null without one. */
  readonly key: string | null;
  /** Null: as many as it likes. */
  readonly requestsPerMinuteMax: number | null;
}

type AccessConfig = Pick<
  ServerConfig,
  'host' | 'anonymous' | 'keys' | 'corsOrigins' | 'requestsPerMinuteMax'
>;

export class Access {
  readonly #config: AccessConfig;
  readonly #anonymous: 'none' | 'read' | 'write';
  readonly #isLoopback: boolean;
  readonly #keys: readonly { readonly hash: Buffer; readonly key: ServerConfig['keys'][number] }[];

  /** @throws FreshetError CONFIG_INVALID for a server that would be open to a network */
  constructor(config: AccessConfig) {
    this.#config = config;
    this.#isLoopback = isLoopbackName(config.host);
    this.#anonymous = this.#anonymousScope();
    this.#keys = config.keys.map((key) => ({ hash: Buffer.from(key.sha256, 'hex'), key }));
    requireReachable(config, this.#anonymous, this.#isLoopback);
  }

  /** @throws FreshetError UNAUTHENTICATED, ACCESS_DENIED */
  check(headers: IncomingHttpHeaders, scope: Scope): Caller {
    const { requestsPerMinuteMax } = this.#config;
    const sent = sentKey(headers);
    if (sent === null) {
      if (scope !== 'none') this.#requireAnonymous(headers, scope);
      return { key: null, requestsPerMinuteMax };
    }
    const found = this.#find(sent);
    if (found === null) throw new FreshetError('UNAUTHENTICATED', 'the key is not known');
    if (scope !== 'none' && !found.scopes.includes(scope)) {
      throw new FreshetError('ACCESS_DENIED', `the key "${found.name}" may not ${scope}`);
    }
    return {
      key: found.name,
      requestsPerMinuteMax: found.requestsPerMinuteMax ?? requestsPerMinuteMax,
    };
  }

  may(headers: IncomingHttpHeaders, scope: Scope): boolean {
    try {
      this.check(headers, scope);
      return true;
    } catch {
      return false;
    }
  }

  #find(sent: string): ServerConfig['keys'][number] | null {
    const hash = createHash('sha256').update(sent).digest();
    let found: ServerConfig['keys'][number] | null = null;
    for (const candidate of this.#keys) {
      if (timingSafeEqual(candidate.hash, hash)) found = candidate.key;
    }
    return found;
  }

  #requireAnonymous(headers: IncomingHttpHeaders, scope: 'read' | 'write'): void {
    const allowed = this.#anonymous === 'write' || this.#anonymous === scope;
    if (!allowed) {
      throw new FreshetError('UNAUTHENTICATED', `without a key nobody may ${scope} here`, {
        ...(scope === 'write' && {
          next: 'Send a key with the scope write, or set `server.anonymous: write` on a machine of your own.',
        }),
      });
    }
    const { host = '', origin } = headers;
    if (this.#isLoopback && !isLoopbackName(hostName(host))) {
      throw new FreshetError('UNAUTHENTICATED', 'the server is asked by a name of another machine');
    }
    const own = [`http://${host}`, `https://${host}`];
    if (origin === undefined || own.includes(origin)) return;
    if (scope === 'read' && this.#config.corsOrigins.includes(origin)) return;
    throw new FreshetError('UNAUTHENTICATED', 'a page of another site asks without a key');
  }

  #anonymousScope(): 'none' | 'read' | 'write' {
    const { anonymous, keys } = this.#config;
    if (anonymous !== 'auto') return anonymous;
    return keys.length === 0 && this.#isLoopback ? 'read' : 'none';
  }
}

function requireReachable(
  { host, keys }: AccessConfig,
  anonymous: 'none' | 'read' | 'write',
  isLoopback: boolean,
): void {
  if (anonymous === 'write' && !isLoopback) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `server.anonymous: write is for loopback alone, and the host is ${host}`,
      { where: { key: 'server.anonymous' }, next: 'Give server.keys a key with the scope write.' },
    );
  }
  if (anonymous !== 'none' || keys.length > 0) return;
  throw new FreshetError('CONFIG_INVALID', `nobody may ask a server on ${host} without keys`, {
    where: { key: 'server.keys' },
    next: 'Give server.keys at least one key, or set `server.anonymous: read` for a network you trust.',
  });
}

function sentKey({ authorization, 'x-api-key': apiKey }: IncomingHttpHeaders): string | null {
  if (typeof apiKey === 'string') return apiKey;
  if (authorization === undefined) return null;
  return /^Bearer (.+)$/i.exec(authorization)?.[1]?.trim() ?? authorization;
}

/** Without the port, and without the brackets of IPv6. */
function hostName(host: string): string {
  return /^\[(.+)\]/.exec(host)?.[1] ?? host.replace(/:\d+$/, '');
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

import { describe, expect, it } from 'vitest';
import type { ServerConfig } from '../../src/config/index.ts';
import type { FreshetError } from '../../src/errors.ts';
import { Access } from '../../src/server/access.ts';
import type { Scope } from '../../src/server/route.ts';
import { sha256 } from './support.ts';

const KEYS: ServerConfig['keys'] = [
  { name: 'reader', sha256: sha256('r'), scopes: ['read'], requestsPerMinuteMax: 5 },
  { name: 'writer', sha256: sha256('w'), scopes: ['read', 'write'], requestsPerMinuteMax: null },
];

const LOCAL = {
  host: '127.0.0.1',
  anonymous: 'auto',
  keys: [],
  corsOrigins: [],
  requestsPerMinuteMax: 100,
} as const;

function outcome(
  config: Partial<ServerConfig>,
  scope: Scope,
  headers: Record<string, string> = {},
): string {
  const access = new Access({ ...LOCAL, ...config });
  try {
    return access.check({ host: '127.0.0.1:6567', ...headers }, scope).key ?? 'anonymous';
  } catch (thrown) {
    return (thrown as FreshetError).code;
  }
}

function refusal(config: Partial<ServerConfig>): string {
  try {
    new Access({ ...LOCAL, ...config });
  } catch (thrown) {
    return (thrown as FreshetError).message;
  }
  return 'none';
}

describe('without a key', () => {
  it('a server on loopback without keys is read and not written', () => {
    expect(outcome({}, 'read')).toBe('anonymous');
    expect(outcome({}, 'write')).toBe('UNAUTHENTICATED');
    expect(outcome({ anonymous: 'write' }, 'write')).toBe('anonymous');
    expect(outcome({ anonymous: 'none', keys: KEYS }, 'read')).toBe('UNAUTHENTICATED');
  });

  it('a server with keys answers nothing but what is open to all', () => {
    expect(outcome({ keys: KEYS }, 'read')).toBe('UNAUTHENTICATED');
    expect(outcome({ keys: KEYS }, 'none')).toBe('anonymous');
    expect(outcome({ keys: KEYS, anonymous: 'read' }, 'read')).toBe('anonymous');
  });

  it('no page of another site asks, by whatever name it found the server', () => {
    const config = { anonymous: 'write' } as const;
    const origin = 'https://evil.example';
    expect(outcome(config, 'write', { origin })).toBe('UNAUTHENTICATED');
    expect(outcome(config, 'read', { origin })).toBe('UNAUTHENTICATED');
    expect(outcome(config, 'write', { origin: 'http://127.0.0.1:6567' })).toBe('anonymous');
    expect(outcome(config, 'read', { host: 'evil.example:6567' })).toBe('UNAUTHENTICATED');
    for (const host of ['localhost', 'localhost:6567', '[::1]:6567', '127.0.0.1']) {
      expect(outcome(config, 'write', { host }), host).toBe('anonymous');
    }
  });

  it('an origin that is let in may read and never write', () => {
    const origin = 'https://ours.example';
    const config = { anonymous: 'write', corsOrigins: [origin] } as const;
    expect(outcome(config, 'read', { origin })).toBe('anonymous');
    expect(outcome(config, 'write', { origin })).toBe('UNAUTHENTICATED');
  });
});

describe('with a key', () => {
  it('its scopes are what it may do', () => {
    const config = { keys: KEYS };
    expect(outcome(config, 'read', { authorization: 'Bearer r' })).toBe('reader');
    expect(outcome(config, 'read', { 'x-api-key': 'r' })).toBe('reader');
    expect(outcome(config, 'write', { authorization: 'Bearer r' })).toBe('ACCESS_DENIED');
    expect(outcome(config, 'write', { authorization: 'bearer w' })).toBe('writer');
  });

  it('a wrong one is worse than none', () => {
    const config = { keys: KEYS, anonymous: 'read' } as const;
    expect(outcome(config, 'read', { authorization: 'Bearer x' })).toBe('UNAUTHENTICATED');
    expect(outcome(config, 'read', { authorization: 'Basic cjpy' })).toBe('UNAUTHENTICATED');
    expect(outcome(config, 'read', { authorization: `Bearer ${sha256('r')}` })).toBe(
      'UNAUTHENTICATED',
    );
  });

  it('the limit is its own, or that of the server', () => {
    const access = new Access({ ...LOCAL, keys: KEYS });
    const limitOf = (key: string): number | null =>
      access.check({ 'x-api-key': key }, 'read').requestsPerMinuteMax;
    expect([limitOf('r'), limitOf('w')]).toEqual([5, 100]);
  });
});

describe('a server that is open to a network', () => {
  it('is refused without keys, and with writes for all', () => {
    expect(refusal({ host: '0.0.0.0' })).toBe('nobody may ask a server on 0.0.0.0 without keys');
    expect(refusal({ host: '0.0.0.0', anonymous: 'write', keys: KEYS })).toBe(
      'server.anonymous: write is for loopback alone, and the host is 0.0.0.0',
    );
    expect(refusal({ host: '0.0.0.0', keys: KEYS })).toBe('none');
    expect(refusal({ host: '0.0.0.0', anonymous: 'read' })).toBe('none');
  });
});

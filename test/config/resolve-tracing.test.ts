import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Environment, loadConfig, type TracingConfig } from '../../src/config/index.ts';
import type { FreshetError } from '../../src/errors.ts';
import { failure } from '../feature-store/support.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-tracing-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(text: string, environment: Environment = {}): Promise<TracingConfig | null> {
  await writeFile(join(folder, 'freshet.yaml'), `project: shop\n${text}`);
  return (await loadConfig(folder, environment)).tracing;
}

const refusal = (text: string, environment?: Environment): Promise<FreshetError> =>
  failure(() => load(text, environment));
const BASE = 'http://127.0.0.1:4318';
const ENDPOINT = `${BASE}/v1/traces`;
const DEFAULTS = { endpoint: ENDPOINT, serviceName: 'shop', sampleRatio: 1, headers: {} };

describe('the settings of traces', () => {
  it('are none without an endpoint', async () => {
    expect(await load('')).toBeNull();
    expect(await load('tracing: { sampleRatio: 0.5 }')).toBeNull();
    expect(await load('', { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_SERVICE_NAME: 'x' })).toBeNull();
  });

  it('are those of the file, with secrets from variables', async () => {
    const text = `
tracing:
  endpoint: ${ENDPOINT}
  serviceName: checkout
  sampleRatio: 0.25
  headers: { authorization: "Bearer \${KEY}" }
`;
    expect(await load(text, { KEY: '12345' })).toEqual({
      endpoint: ENDPOINT,
      serviceName: 'checkout',
      sampleRatio: 0.25,
      headers: { authorization: 'Bearer 12345' },
    });
    expect(await load(`tracing: { endpoint: '${ENDPOINT}' }`)).toEqual(DEFAULTS);
  });

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', BASE, ENDPOINT],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', `${BASE}/`, ENDPOINT],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', `${BASE}/otel/`, `${BASE}/otel/v1/traces`],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', `${BASE}/as-it-is`, `${BASE}/as-it-is`],
  ])('are those of %s=%s where the file has none', async (name, value, endpoint) => {
    expect(await load('', { [name]: value })).toEqual({ ...DEFAULTS, endpoint });
    const own = 'https://collector.example/t';
    const file = `tracing: { endpoint: '${own}' }`;
    expect((await load(file, { [name]: value }))?.endpoint).toBe(own);
  });

  it('of one variable are before those of the general one, and of the file before both', async () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: BASE,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${BASE}/special`,
      OTEL_SERVICE_NAME: 'named',
    };
    expect(await load('', environment)).toMatchObject({
      endpoint: `${BASE}/special`,
      serviceName: 'named',
    });
    const file = 'tracing: { serviceName: own }';
    expect((await load(file, environment))?.serviceName).toBe('own');
  });

  it('are none where OpenTelemetry is switched off', async () => {
    const file = `tracing: { endpoint: '${ENDPOINT}' }`;
    expect(await load(file, { OTEL_SDK_DISABLED: 'true' })).toBeNull();
  });

  it.each([
    ['an endpoint that is no address', 'tracing: { endpoint: localhost }', 'tracing.endpoint'],
    ['one of another protocol', 'tracing: { endpoint: "ftp://x/y" }', 'tracing.endpoint'],
    ['a ratio above 1', 'tracing: { sampleRatio: 2 }', 'tracing.sampleRatio'],
    ['a header that has no name', 'tracing: { headers: { "a b": hidden } }', 'tracing.headers.a b'],
    ['a header that is no text', 'tracing: { headers: { a: 1 } }', 'tracing.headers.a'],
  ])('are refused for %s', async (_, text, key) => {
    const { code, where, message } = await refusal(text);
    expect({ code, key: where.key }).toEqual({ code: 'CONFIG_INVALID', key });
    expect(message).not.toContain('hidden');
  });

  it('are refused for a key that is none, and for a variable that is no address', async () => {
    expect((await refusal('tracing: { endpont: x }')).message).toContain('tracing.endpont');
    const error = await refusal('', { OTEL_EXPORTER_OTLP_ENDPOINT: 'me:hidden@x' });
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      where: { key: 'OTEL_EXPORTER_OTLP_ENDPOINT' },
    });
    expect(JSON.stringify(error)).not.toContain('hidden');
  });
});

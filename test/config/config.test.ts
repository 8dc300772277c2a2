import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Config, type Environment, loadConfig } from '../../src/config/index.ts';
import { FreshetError } from '../../src/errors.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(text: string, environment: Environment = {}): Promise<Config> {
  await writeFile(join(folder, 'freshet.yaml'), text);
  return loadConfig(folder, environment);
}

async function refusal(text: string, environment: Environment = {}): Promise<FreshetError> {
  const error: unknown = await load(text, environment).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FreshetError) return error;
  throw new Error(`not refused: ${text}`);
}

describe('loadConfig', () => {
  it('needs a project only and fills in every default', async () => {
    const config = await load('project: flights\n');
    expect(config).toEqual({
      project: 'flights',
      repoDir: folder,
      registry: { path: join(folder, 'data/registry.json') },
      log: { type: 'embedded', path: join(folder, 'data/log') },
      onlineStore: {
        path: join(folder, 'data/online'),
        binding: 'rocksdb-native',
        staleMsMax: 1_000,
        cacheBytesMax: 33_554_432,
      },
      offlineStore: {
        path: join(folder, 'data/offline'),
        segmentRowsMax: 500_000,
        segmentBytesMax: 67_108_864,
        segmentAgeMsMax: 60_000,
        memoryBytesMax: 536_870_912,
        threads: 2,
        compaction: {
          auto: true,
          everyMs: 60_000,
          fanIn: 8,
          fileBytesTarget: 134_217_728,
          rangeBytesMax: 4_294_967_296,
          graceMs: 3_600_000,
        },
        retention: {},
      },
      engine: {
        group: 'flights-materializer',
        batchRecordsMax: 8_192,
        batchBytesMax: 16_777_216,
        rowBytesMax: 1_048_576,
        deadLetterTopic: 'flights.dead-letter',
      },
      server: {
        host: '127.0.0.1',
        port: 6_567,
        anonymous: 'auto',
        keys: [],
        requestsPerMinuteMax: null,
        bodyBytesMax: 8_388_608,
        batchRowsMax: 10_000,
        requestMsMax: 30_000,
        corsOrigins: [],
        tls: null,
      },
      tracing: null,
    });
    expect(Object.isFrozen(config.engine)).toBe(true);
  });

  it('reads a Kafka log with what the client is handed through', async () => {
    const { log } = await load(
      `
project: flights
log:
  type: kafka
  brokers: [a:9092, b:9092]
  ssl: { rejectUnauthorized: true }
  sasl: { mechanism: plain, username: me, password: "\${PASSWORD}" }
  schemaRegistry: { url: http://127.0.0.1:8081 }
`,
      { PASSWORD: '12345' },
    );
    expect(log).toEqual({
      type: 'kafka',
      brokers: ['a:9092', 'b:9092'],
      clientId: 'flights',
      ssl: { rejectUnauthorized: true },
      sasl: { mechanism: 'plain', username: 'me', password: '12345' },
      replication: 1,
      sessionTimeoutMs: 30_000,
      schemaRegistry: { url: 'http://127.0.0.1:8081', username: null, password: null },
    });
  });

  it('keeps absolute paths', async () => {
    const { registry } = await load('project: p\nregistry: { path: /var/registry.json }');
    expect(registry.path).toBe('/var/registry.json');
  });

  it('puts environment variables in, as numbers where they stand alone without quotes', async () => {
    const config = await load(
      `project: p\nregistry: { path: "\${ROOT}/r.json" }\nengine:\n  batchRecordsMax: \${N}`,
      { ROOT: '/mnt', N: '10' },
    );
    expect(config.registry.path).toBe('/mnt/r.json');
    expect(config.engine.batchRecordsMax).toBe(10);
  });

  it('names the variable that is not set, and its line', async () => {
    const error = await refusal(`project: p\nregistry:\n  path: \${ROOT}/r.json\n`);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('environment variable ROOT, which is not set');
    expect(error.where.line).toBe(3);
  });

  it.each([
    ['project: p\nonlinestore: {}\n', 'onlinestore', 2, 'Did you mean "onlineStore"?'],
    ['project: p\nengine:\n  grop: x\n', 'engine.grop', 3, 'Did you mean "group"?'],
    [
      'project: p\nlog:\n  type: kafka\n  borkers: [a]\n',
      'log.borkers',
      4,
      'Did you mean "brokers"?',
    ],
    [
      'project: p\nlog:\n  type: kafka\n  brokers: [a]\n  schemaRegistry:\n    uri: http://x\n',
      'log.schemaRegistry.uri',
      6,
      'Did you mean "url"?',
    ],
    ['project: p\nlog: { type: embedded, zzzzzz: 1 }\n', 'log.zzzzzz', 2, 'Known: type, path.'],
  ])('refuses an unknown key and names the nearest: %j', async (text, key, line, advice) => {
    const error = await refusal(text);
    expect(error.code).toBe('CONFIG_KEY_UNKNOWN');
    expect(error.where).toEqual({ file: 'freshet.yaml', line, key });
    expect(error.next).toContain(advice);
  });

  it.each([
    ['', 'project: is missing'],
    ['project: 3', 'project: '],
    ['project: p\nlog: { type: kafak }', 'log.type: must be one of embedded, kafka'],
    ['project: p\nlog: { type: kafka }', 'log.brokers: is missing'],
    ['project: p\nengine: { batchRecordsMax: 0 }', 'engine.batchRecordsMax: '],
    ['project: p\nengine: { batchRecordsMax: many }', 'engine.batchRecordsMax: '],
    ['project: p\nonlineStore: { binding: leveldb }', 'onlineStore.binding: '],
    ['project: p\n  engine: {', 'it is not YAML'],
    ['- a\n- b\n', 'it: '],
    ['project: p\nproject: q\n', 'it is not YAML'],
  ])('refuses a wrong value and says which: %j', async (text, message) => {
    const error = await refusal(text);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain(message);
  });

  it('says that there is no configuration', async () => {
    const missing = loadConfig(join(folder, 'nowhere'), {});
    await expect(missing).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND' });
  });
});

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initRepository, loadConfig, loadRepository } from '../../src/config/index.ts';
import { ManualClock } from '../../src/core/clock.ts';
import * as definition from '../../src/definition/index.ts';
import { buildCatalog, type TopicSource } from '../../src/definition/index.ts';
import { createFeatureProducer, produceRows, readRows } from '../../src/producer/index.ts';
import { AppendedLog } from '../producer/support.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('initRepository', () => {
  let parent = '';
  let dir = '';
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'freshet-init-'));
    dir = join(parent, 'my shop.v2');
  });
  afterEach(() => rm(parent, { recursive: true }));

  const init = (options = {}) =>
    initRepository(dir, { clock: new ManualClock(NOW_MS), ...options });
  const read = (name: string) => readFile(join(dir, name), 'utf8');

  it('writes the files it names, and leaves nothing in them to fill in', async () => {
    const files = await init();
    expect(files).toEqual([
      'README.md',
      'features.ts',
      'freshet.yaml',
      '.gitignore',
      'orders.ndjson',
    ]);
    expect((await readdir(dir)).sort()).toEqual(files.toSorted());
    for (const file of files) expect(await read(file)).not.toContain('__');
  });

  it('names the project after the folder, or as it is told', async () => {
    await init();
    expect((await loadConfig(dir)).project).toBe('my_shop_v2');
    dir = join(parent, '2026');
    await init();
    expect((await loadConfig(dir)).project).toBe('features');
    dir = join(parent, 'c');
    await init({ project: 'shop' });
    expect((await loadConfig(dir)).project).toBe('shop');
    await expect(init({ project: '-' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('shows every setting of freshet.yaml with its default', async () => {
    await init({ project: 'shop' });
    const plain = await loadConfig(dir);
    const text = (await read('freshet.yaml')).replace(/^#(?=\S| {2}\S)/gm, '');
    await writeFile(join(dir, 'freshet.yaml'), text);
    expect(await loadConfig(dir)).toEqual(plain);
    const { registry, onlineStore, offlineStore, engine, server } = plain;
    for (const section of [registry, onlineStore, offlineStore, engine, server]) {
      for (const key of Object.keys(section)) expect(text).toMatch(RegExp(`^  ${key}: `, 'm'));
    }
  });

  it('shows a setting of Kafka that can be used', async () => {
    await init();
    const kafka = /^# {3}log:\n(#.*\n)+/m.exec(await read('freshet.yaml'))?.[0] ?? '';
    await writeFile(join(dir, 'freshet.yaml'), `project: shop\n${kafka.replace(/^# {3}/gm, '')}`);
    expect((await loadConfig(dir)).log).toMatchObject({ type: 'kafka', replication: 1 });
  });

  it('shows a server for many that can be used', async () => {
    await init();
    const server = /^# {3}server:\n(#.*\n)+/m.exec(await read('freshet.yaml'))?.[0] ?? '';
    await writeFile(join(dir, 'freshet.yaml'), `project: shop\n${server.replace(/^# {3}/gm, '')}`);
    const sha256 = 'a'.repeat(64);
    const config = await loadConfig(dir, { SCORING_KEY_SHA256: sha256 });
    expect(config.server).toMatchObject({
      host: '0.0.0.0',
      keys: [{ name: 'scoring', sha256, scopes: ['read'], requestsPerMinuteMax: 6_000 }],
      tls: { certPath: join(dir, 'server.crt'), keyPath: join(dir, 'server.key') },
    });
  });

  it('makes definitions that fit together, and rows that fit their source', async () => {
    await init();
    const catalog = buildCatalog(await loadRepository(dir, { freshet: { ...definition } }));
    expect([...catalog.views.keys()]).toEqual(['last_order']);
    expect([...catalog.services.keys()]).toEqual(['next_order']);
    const orders = catalog.sources.get('orders') as TopicSource;

    const log = new AppendedLog();
    const source = { ...orders, format: 'json' } as const;
    await using producer = await createFeatureProducer({ log: log.log, source });
    const reader = await readRows({
      input: { format: 'ndjson', path: join(dir, 'orders.ndjson') },
      source,
      duckdb: undefined as never,
    });
    expect(await produceRows({ producer, reader })).toMatchObject({ rowsSent: 60, rejects: [] });
    const rows = log.records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()));
    const times = rows.map((row) => Date.parse(row.ordered_at));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.every((ms) => ms > NOW_MS - 86_400_000 && ms < NOW_MS)).toBe(true);
    expect(new Set(rows.map((row) => row.customer_id)).size).toBe(12);
  });

  it('makes definitions whose types are right', async () => {
    await init();
    const program = ts.createProgram([join(dir, 'features.ts')], {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      types: [],
      typeRoots: [],
      paths: { freshet: [join(ROOT, 'src/definition/index.ts')] },
    });
    const file = program.getSourceFile(join(dir, 'features.ts'));
    const faults = [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ];
    expect(
      faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    ).toEqual([]);
  });

  it('makes the same files for the same time', async () => {
    await init({ project: 'shop' });
    const first = await read('orders.ndjson');
    dir = join(parent, 'again');
    await init({ project: 'shop' });
    expect(await read('orders.ndjson')).toBe(first);
  });

  it('overwrites nothing: it names what is there and writes no file', async () => {
    await mkdir(dir);
    await writeFile(join(dir, 'features.ts'), 'mine');
    await writeFile(join(dir, 'notes.txt'), 'mine');
    await expect(init()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/already has features\.ts$/),
    });
    expect((await readdir(dir)).sort()).toEqual(['features.ts', 'notes.txt']);
    await rm(join(dir, 'features.ts'));
    await expect(init()).resolves.toContain('features.ts');
  });

  it('names the nearest template, and fails where no folder can be', async () => {
    await expect(init({ template: 'defualt' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      next: 'Did you mean "default"?',
    });
    await writeFile(dir, 'a file');
    await expect(init()).rejects.toMatchObject({ code: 'DISK_FAILED' });
  });
});

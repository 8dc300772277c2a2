/**
 * The tutorial and the guides, done as they say: each shell block in its order by a shell, each
 * program that imports Freshet as a file beside the definitions, in a repository made by init.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDuckdb } from '../../src/duckdb/index.ts';
import { openFeatureStore } from '../../src/index.ts';
import { cli } from '../cli/support.ts';
import { ROOT, read } from '../rules/repository.ts';

const run = promisify(execFile);
const TSX = join(ROOT, 'node_modules/tsx/dist/loader.mjs');

/** These end only when they are told to, or need what a test run does not have. */
const NOT_RUN = /^npx freshet (dev kafka|serve|ui)$|^curl |^openssl |scoring\.key/;

describe('a reader who does what they say', { timeout: 300_000 }, () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-documents-'));
    const command = `#!/bin/sh\nshift\nexec "${process.execPath}" --import "${TSX}" "${join(ROOT, 'src/cli/main.ts')}" "$@"\n`;
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin/npx'), command);
    await chmod(join(folder, 'bin/npx'), 0o755);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /**
   * Runs what a document shows, from top to bottom; answers with what was printed. The first block
   * runs in `begin`, where that is another folder.
   */
  async function follow(path: string, directory: string, begin = directory): Promise<string> {
    const printed: string[] = [];
    let place = begin;
    for (const { language, block } of blocksOf(await read(path))) {
      if (language === 'bash') printed.push(await runShell(block, place));
      else if (block.includes("from 'freshet'")) printed.push(await runProgram(block, place));
      else continue;
      place = directory;
    }
    return printed.join('');
  }

  async function runShell(block: string, directory: string): Promise<string> {
    const lines = block.split('\n').filter((line) => line !== '' && !NOT_RUN.test(line));
    const env = {
      ...surroundings(),
      PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`,
    };
    const script = ['set -eu', ...lines].join('\n');
    return (await run('bash', ['-c', script], { cwd: directory, env })).stdout;
  }

  async function runProgram(block: string, directory: string): Promise<string> {
    const program = join(directory, 'program.mts');
    await writeFile(program, block);
    const args = ['--import', TSX, program];
    const { stdout } = await run(process.execPath, args, { cwd: directory, env: surroundings() });
    await rm(program);
    return stdout;
  }

  /** `freshet` is what it is in this checkout. */
  function surroundings(): NodeJS.ProcessEnv {
    return { ...process.env, NO_COLOR: '1', TSX_TSCONFIG_PATH: join(ROOT, 'tsconfig.json') };
  }

  /** A repository as the tutorial leaves it, for a guide of its own. */
  async function shop(name: string): Promise<string> {
    const directory = join(folder, name);
    for (const args of [
      ['init', directory, '--project', 'shop'],
      ['-C', directory, 'apply'],
      ['-C', directory, 'produce', 'orders', join(directory, 'orders.ndjson')],
      ['-C', directory, 'run', '--until-caught-up', '--log', 'none'],
    ]) {
      expect(await cli(args)).toMatchObject({ code: 0 });
    }
    return directory;
  }

  it('in the tutorial, comes from nothing to the same values in both stores', async () => {
    const printed = await follow('docs/tutorial.md', join(folder, 'shop'), folder);
    expect(printed).toContain('60 rows sent to orders');
    expect(printed).toContain('every value agrees to the last bit');
    expect(printed).toContain('every view has the bytes it had');
  });

  it('in the guide to produce, sends rows and sees what was rejected', async () => {
    const directory = await shop('produce');
    await writeFile(
      join(directory, 'orders.csv'),
      'ordered_at,customer_id,amount,items,country\n2026-01-01T00:00:00Z,1,2.5,1,PT\n',
    );
    {
      const config = { project: 'shop' };
      await using store = await openFeatureStore({ directory, definitions: [], config });
      const log = await store.resources.log();
      await log.append([{ topic: 'orders', partition: 0, key: null, value: Buffer.from('{') }]);
    }
    await cli(['-C', directory, 'run', '--until-caught-up', '--log', 'none']);
    const printed = await follow('docs/guides/produce.md', directory);
    expect(printed).toContain('1 rows sent to orders, 0 refused.');
    expect(printed).toContain('1 []');
  });

  it('in the guide to serve, reads values in three ways', async () => {
    const printed = await follow('docs/guides/serve.md', await shop('serve'));
    expect(printed).toMatch(/^[0-9.]+\nNOT_FOUND\n\d+$/m);
    expect(printed).toContain('receipt of last_order: orders partition');
  });

  it('in the guide to backfill, gets history that was in files before', async () => {
    const directory = await shop('backfill');
    const [{ block: history } = { block: '' }] = blocksOf(await read('docs/guides/backfill.md'));
    const file = join(directory, 'features.ts');
    const definitions = (await readFile(file, 'utf8'))
      .replace('import { entity,', 'import { parquetSource, entity,')
      .replace('source: orders,', 'source: orders, batchSource: orderHistory,');
    const at = definitions.indexOf('/** The newest row of each customer.');
    expect(at).toBeGreaterThan(0);
    await writeFile(file, definitions.slice(0, at) + history + definitions.slice(at));
    {
      await using duckdb = await openDuckdb();
      await duckdb.run(
        `COPY (SELECT TIMESTAMP '2025-01-01' + to_days(i::INTEGER) AS ts, 100 + i AS customer_id, 1.5 AS amount,
           1 AS items, 'PT' AS country FROM range(100) t(i)) TO '${join(directory, 'export.parquet')}' (FORMAT parquet)`,
      );
    }
    const printed = await follow('docs/guides/backfill.md', directory);
    expect(printed).toContain('every value agrees to the last bit');
    expect(printed).toContain('2025-01-01');
  });

  it('in the guide to replay, makes the same store again in each way', async () => {
    const printed = await follow('docs/guides/replay.md', await shop('replay'));
    expect(printed.match(/every view has the bytes it had/g)?.length).toBe(5);
  });
});

interface Block {
  readonly language: string;
  readonly block: string;
}

/** Shell and TypeScript blocks, in their order. */
function blocksOf(document: string): Block[] {
  return [...document.matchAll(/^```(bash|ts)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', block = '']) => ({ language, block }),
  );
}

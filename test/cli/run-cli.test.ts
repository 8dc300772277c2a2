import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initRepository } from '../../src/config/index.ts';
import { cli, spawnCli } from './support.ts';

let folder = '';
let repo = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-cli-'));
  repo = join(folder, 'shop');
  await initRepository(repo);
  expect(await cli(['apply'], { repo })).toMatchObject({ code: 0, stderr: '' });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a command line that is wrong ends with 2', () => {
  it.each([
    ['an unknown command', ['stats'], '(Did you mean status?)'],
    ['an unknown option', ['status', '--jsn'], '(Did you mean --json?)'],
    ['an unknown subcommand', ['dlq', 'lst'], '(Did you mean list?)'],
    ['a missing argument', ['describe'], "missing required argument 'name'"],
    ['a missing option', ['replay'], "'--from <where>' not specified"],
    ['a value that is none', ['dlq', 'list', '-n', 'x'], 'whole number'],
    ['too many arguments', ['status', 'x'], 'too many arguments'],
  ])('for %s, with what was meant', async (_, args, said) => {
    const { code, stdout, stderr } = await cli(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr).toContain('--help');
  });

  it('for no command at all, with the help', async () => {
    expect(await cli([])).toMatchObject({ code: 2, stderr: expect.stringContaining('Examples:') });
  });

  it.each([[['stats', '--json']], [['--json', 'status', 'x']], [['--json']], [['dlq', '--json']]])(
    'as JSON where JSON is asked for: %j',
    async (args) => {
      const { code, stdout, stderr } = await cli(args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      const { error } = JSON.parse(stderr);
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.any(String) });
      expect(error.next).toContain('--help');
    },
  );
});

describe('a command that fails ends with 1 and says code, place and next step', () => {
  it.each([
    ['no repository', ['status'], () => join(folder, 'none'), 'CONFIG_NOT_FOUND', 'freshet init'],
    ['unknown view', ['inspect', 'last_ordr'], () => repo, 'FEATURE_VIEW_NOT_FOUND', 'last_order'],
    ['unknown source', ['produce', 'order', '-'], () => repo, 'SOURCE_NOT_FOUND', 'orders'],
    ['unknown name', ['describe', 'custmer'], () => repo, 'FEATURE_VIEW_NOT_FOUND', '"customer"'],
    ['no such letter', ['dlq', 'show', '7'], () => repo, 'INVALID_ARGUMENT', 'dlq list'],
    ['a row that is no JSON', ['get', 'x', '--row', '{'], () => repo, 'INVALID_ARGUMENT', 'JSON'],
    [
      'a key that is there twice',
      ['get', 'last_order', 'customer_id=7', 'customer_id=8'],
      () => repo,
      'INVALID_ARGUMENT',
      '"customer_id" is given twice',
    ],
    [
      'two entities in one erasure',
      ['erase', 'customer', 'customer_id=7', 'customer_id=8'],
      () => repo,
      'INVALID_ARGUMENT',
      'Erase one entity after the other',
    ],
  ])('for %s', async (_, args, where, code, said) => {
    const plain = await cli(args, { repo: where() });
    expect({ code: plain.code, stdout: plain.stdout }).toEqual({ code: 1, stdout: '' });
    expect(plain.stderr).toMatch(new RegExp(`^error ${code}: `));
    expect(plain.stderr).toMatch(/^ {2}next: {2}\S/m);
    expect(plain.stderr).toContain(said);
    expect(plain.stderr).not.toMatch(/^\s+at .+:\d+:\d+/m);

    const json = await cli([...args, '--json'], { repo: where() });
    expect(json).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(json.stderr).error).toMatchObject({ code, next: expect.any(String) });
  });

  it('for a key of freshet.yaml that is not one, with the one that was meant', async () => {
    const other = join(folder, 'other');
    await initRepository(other);
    await writeFile(join(other, 'freshet.yaml'), 'project: shop\nonlineStor: { path: x }\n');
    const { code, stderr } = await cli(['status'], { repo: other });
    expect(code).toBe(1);
    expect(stderr).toContain('CONFIG_KEY_UNKNOWN');
    expect(stderr).toContain('Did you mean "onlineStore"?');
    expect(stderr).toMatch(/where: file freshet\.yaml, line 2/);
  });

  it('for a teardown that nobody can confirm', async () => {
    const { code, stderr } = await cli(['teardown'], { repo });
    expect(code).toBe(1);
    expect(stderr).toContain('--yes');
  });
});

describe('a command that is interrupted', () => {
  it('ends with 130 and no fault of Freshet', async () => {
    const signal = AbortSignal.abort();
    const file = join(repo, 'orders.ndjson');
    const { code, stderr } = await cli(['produce', 'orders', file], { repo, signal });
    expect(code).toBe(130);
    expect(stderr).not.toContain('fault');
  });
});

describe('a process of its own', () => {
  it('ends with the code, and without a stack', async () => {
    const { code, stdout, stderr } = await spawnCli(['-C', repo, 'inspect', 'nothing']).finished;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error FEATURE_VIEW_NOT_FOUND: /);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('has done its work when its reader has read enough', async () => {
    const { child, finished } = spawnCli(['-C', repo, 'list', 'views']);
    child.stdout?.destroy(); // as `head` does: the command writes into a closed pipe
    expect(await finished).toMatchObject({ code: 0, stderr: '' });
  });

  it('goes on when nobody reads its log', async () => {
    const { child, finished } = spawnCli(['-C', repo, 'run', '--until-caught-up']);
    child.stderr?.destroy();
    expect(await finished).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('0 behind the end of the log'),
    });
  });

  it('reads rows from standard input, and stops well when it is told to', async () => {
    const produce = spawnCli(['-C', repo, '--json', 'produce', 'orders', '-']);
    produce.child.stdin?.end(
      `${JSON.stringify({ ordered_at: '2026-01-01T00:00:00Z', customer_id: 99, amount: 1 })}\n`,
    );
    const sent = await produce.finished;
    expect(sent.code).toBe(0);
    expect(JSON.parse(sent.stdout)).toMatchObject({ rowsSent: 1, rowsRejected: 0 });

    const engine = spawnCli(['-C', repo, 'run', '--log', 'json']);
    let log = '';
    await new Promise<void>((resolve) => {
      engine.child.stderr?.on('data', (chunk) => {
        log += chunk;
        if (log.includes('partition assigned')) resolve();
      });
    });
    engine.child.kill('SIGTERM');
    const ran = await engine.finished;
    expect(ran.code).toBe(0);
    for (const line of ran.stderr.trim().split('\n')) JSON.parse(line);
    const [status] = JSON.parse((await cli(['status', '--json'], { repo })).stdout);
    for (const { applied, sealed } of status.partitions) expect(sealed).toBe(applied);
  });
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { renderCommands } from '../../scripts/format-docs.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { ERROR_TABLE } from '../../src/errors.ts';
import { ROOT } from '../rules/repository.ts';

const PATHS = [...pathsOf(build().program)];

describe('the help of', () => {
  it('every command is looked at', () => {
    expect(PATHS.map((path) => path.join(' '))).toEqual(
      expect.arrayContaining(['', 'apply', 'dlq', 'dlq retry', 'materialize-incremental']),
    );
    expect(PATHS.length).toBeGreaterThan(20);
  });

  it.each(PATHS.map((path) => [['freshet', ...path].join(' '), path] as const))(
    '`%s` says what it does, what each option does, and has examples that it understands',
    async (_, path) => {
      const { program, written } = build();
      await expect(parse(program, [...path, '--help'])).resolves.toMatchObject({ exitCode: 0 });
      const help = written.join('');
      const command = commandAt(program, path);
      expect(command.description()).not.toBe('');
      for (const option of command.options) expect(option.description, option.flags).not.toBe('');
      const examples = [...help.matchAll(/^ {2}\$ (.+)$/gm)].map((match) => match[1] as string);
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) await expectUnderstood(example);
      expect(help.split('\n').every((line) => line.length <= 100)).toBe(true);
    },
  );
});

describe('commands that Freshet itself names', () => {
  it('in the README of the template, are understood', async () => {
    const readme = await readFile(join(ROOT, 'templates/default/README.md'), 'utf8');
    const lines = readme.match(/^npx freshet .+$/gm) ?? [];
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) await expectUnderstood(line.replace(/^npx /, ''));
  });

  it.each([
    ...['tutorial', 'history', 'backfill', 'console'],
    ...['produce', 'serve', 'backfill', 'replay'].map((guide) => `guides/${guide}`),
  ])('in docs/%s.md, are understood', async (name) => {
    const document = await readFile(join(ROOT, `docs/${name}.md`), 'utf8');
    const lines = document.match(/^(npx |npm run )?freshet .+$/gm) ?? [];
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      await expectUnderstood(
        line
          .replace(/^(npx |npm run (?=freshet))/, '')
          .replace(/^freshet -- /, 'freshet ')
          .replace(/ +#.*$/, ''),
      );
    }
  });

  it('in the reference, are all there, as their help says', async () => {
    const reference = await readFile(join(ROOT, 'docs/reference/commands.md'), 'utf8');
    expect(reference).toBe(renderCommands());
  });

  it('at the end of the quickstart, are understood', async () => {
    const program = await readFile(join(ROOT, 'examples/quickstart/main.ts'), 'utf8');
    const lines = [...program.matchAll(/(?:npm run freshet --|`\$\{freshet\}) ([^'`$]+)['`]/g)].map(
      (match) => match[1],
    );
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) await expectUnderstood(`freshet ${line}`);
  });

  it('in the advice of errors, exist', async () => {
    const advice = Object.values(ERROR_TABLE).map(({ next }) => next);
    const lines = advice.flatMap((next) => next.match(/(?<=`)freshet [^`]+(?=`)/g) ?? []);
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines.filter((text) => !text.includes('<command>'))) {
      await expectUnderstood(line, ['commander.missingMandatoryOptionValue']);
    }
  });
});

describe('options of the program', () => {
  it('are taken before the command and behind it', async () => {
    for (const line of ['-C shop status --json', 'status --json --repo shop']) {
      const { program, ran } = build();
      await parse(program, words(line));
      expect(ran).toEqual([expect.objectContaining({ repo: 'shop', json: true })]);
    }
  });

  it('print the version of the package', async () => {
    const { program, written } = build();
    await parse(program, ['--version']);
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    expect(written.join('')).toBe(`${version}\n`);
  });
});

describe('values of options', () => {
  it.each([
    ['inspect orders --limit -1', 'whole number'],
    ['inspect orders --limit 1.5', 'whole number'],
    ['inspect orders --limit many', 'whole number'],
    ['dlq show first', 'whole number'],
    ['replay --from yesterday', 'earliest, an offset or a time'],
    ['join x --late maybe', 'exclude, include'],
    ['list things', 'entities, sources, views, services'],
  ])('`%s` are refused with what they may be', async (line, expected) => {
    const thrown = await parse(build().program, words(line));
    expect(thrown?.exitCode).toBe(1);
    expect(thrown?.message).toContain(expected);
  });

  it.each([
    ['replay --from earliest', { from: 'earliest' }],
    ['replay --from 120', { from: { offset: 120 } }],
    ['replay --from 2026-01-31T12:00:00Z', { from: { timeMs: Date.UTC(2026, 0, 31, 12) } }],
    ['replay --from earliest --sources a,b --sources c', { sources: ['a', 'b', 'c'] }],
    [`get x --row {"a":1} --row {"a":2}`, { row: [{ a: 1 }, { a: 2 }] }],
  ])('`%s` are read', async (line, expected) => {
    const { program, ran } = build();
    await parse(program, line.split(' '));
    expect(ran).toEqual([expect.objectContaining(expected)]);
  });
});

/** The program with its actions replaced: they note the options they would run with. */
function build(): { program: Command; written: string[]; ran: object[] } {
  const written: string[] = [];
  const ran: object[] = [];
  const program = buildProgram({
    makeOutput: () => {
      throw new Error('an action ran');
    },
    signal: new AbortController().signal,
    writeOut: (text) => written.push(text),
    writeErr: () => {},
    helpWidth: 100,
  });
  for (const path of pathsOf(program)) {
    const command = commandAt(program, path);
    if (command.commands.length > 0) continue;
    command.action((...args) => void ran.push((args.at(-1) as Command).optsWithGlobals()));
  }
  return { program, written, ran };
}

/** What commander threw, if it did. */
async function parse(program: Command, args: readonly string[]): Promise<CommanderError | null> {
  try {
    await program.parseAsync(args, { from: 'user' });
    return null;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown;
    throw thrown;
  }
}

/** Every `freshet …` of a shell line must reach an action. */
async function expectUnderstood(line: string, allowed: readonly string[] = []): Promise<void> {
  const commands = line
    .replace(/ {3,}.*$| {2,}#.*$/, '') // what a person is told about it
    .replace(/ 2?> \S+/, '')
    .split(/ && | \| /)
    .filter((text) => text.startsWith('freshet '));
  expect(commands.length, line).toBeGreaterThan(0);
  for (const command of commands) {
    const { program, ran } = build();
    const thrown = await parse(program, words(command).slice(1));
    if (thrown !== null && allowed.includes(thrown.code)) continue;
    expect(thrown?.message, line).toBe(undefined);
    expect(ran.length, line).toBe(1);
  }
}

/** Words of a shell line; quotes keep spaces. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|\S+/g)].map(
    ([whole, single, double]) => single ?? double ?? whole,
  );
}

function* pathsOf(command: Command, path: readonly string[] = []): Generator<readonly string[]> {
  yield path;
  for (const child of command.commands) yield* pathsOf(child, [...path, child.name()]);
}

function commandAt(program: Command, path: readonly string[]): Command {
  return path.reduce(
    (command, name) => command.commands.find((child) => child.name() === name) as Command,
    program,
  );
}

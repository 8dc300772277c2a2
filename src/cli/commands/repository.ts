import { relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { initRepository } from '../../config/index.ts';
import { FreshetError } from '../../errors.ts';
import type { Change } from '../../registry/index.ts';
import type { Bind, Context } from '../context.ts';
import type { Output } from '../output.ts';

/** `init`, `plan`, `apply`, `teardown`. */
export function repositoryCommands(program: Command, bind: Bind): void {
  program
    .command('init')
    .description('make a feature repository that runs')
    .argument('[folder]', 'where', '.')
    .option('--template <name>', 'what to begin with', 'default')
    .option('--project <name>', "the project's name; default: that of the folder")
    .addHelpText('after', '\nExamples:\n  $ freshet init shop\n  $ freshet init . --project shop')
    .action(bind(init));
  program
    .command('plan')
    .description('show what apply would change, and change nothing')
    .addHelpText('after', '\nExamples:\n  $ freshet plan\n  $ freshet plan --json')
    .action(bind(plan));
  program
    .command('apply')
    .description('create topics, register schemas and record the definitions')
    .option('--force', 'delete the stored values of views whose change does not fit them')
    .addHelpText('after', '\nExamples:\n  $ freshet apply\n  $ freshet -C shop apply --force')
    .action(bind(apply));
  program
    .command('teardown')
    .description(
      'remove what apply made: stored values, history, topics with their records, schemas',
    )
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nExamples:\n  $ freshet teardown\n  $ freshet teardown --yes')
    .action(bind(teardown));
}

async function init(
  { output }: Context,
  folder: string,
  options: { readonly template: string; readonly project?: string },
): Promise<void> {
  const files = await initRepository(resolve(folder), options);
  const near = relative(process.cwd(), resolve(folder));
  const place = near.startsWith('..') ? resolve(folder) : near;
  output.result({ folder: resolve(folder), files }, () =>
    [
      ...files.map(
        (file) => `${output.style.green('new')}  ${place === '' ? file : `${place}/${file}`}`,
      ),
      '',
      `Next: ${place === '' ? '' : `cd ${place} && `}freshet apply`,
    ].join('\n'),
  );
}

async function plan({ output, withStore }: Context): Promise<void> {
  const changes = await withStore((store) => store.plan());
  printChanges(output, changes, 'Nothing to change.');
}

async function apply(
  { output, withStore }: Context,
  options: { readonly force?: boolean },
): Promise<void> {
  const changes = await withStore((store) => store.apply(options));
  printChanges(output, changes, 'Applied; nothing had changed.');
}

async function teardown(
  { output, withStore }: Context,
  options: { readonly yes?: boolean },
): Promise<void> {
  await withStore(async (store) => {
    const { views, topics } = await store.registry();
    const what = `${Object.keys(views).length} views and the topics ${topics.join(', ') || '(none)'}`;
    if (!options.yes)
      await confirm(`This deletes ${what}, with all their records and their history. Go on?`);
    await store.teardown();
    output.result({ views: Object.keys(views), topics }, () => `Deleted ${what}.`);
  });
}

async function confirm(question: string): Promise<void> {
  const next = 'Run it again with --yes.';
  if (!process.stdin.isTTY) {
    throw new FreshetError('INVALID_ARGUMENT', 'there is no terminal to ask on', { next });
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`${question} [y/N] `);
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new FreshetError('INVALID_ARGUMENT', 'not confirmed; nothing was deleted', { next });
  }
}

function printChanges(output: Output, changes: readonly Change[], nothing: string): void {
  const made = changes.filter(({ transition }) => transition !== 'UNCHANGED');
  output.result(made, () => {
    if (made.length === 0) return nothing;
    return made.flatMap((change) => changeLines(output, change)).join('\n');
  });
}

function changeLines({ style }: Output, change: Change): string[] {
  const sign = { CREATE: style.green('+'), UPDATE: style.yellow('~'), DELETE: style.red('-') }[
    change.transition as 'CREATE' | 'UPDATE' | 'DELETE'
  ];
  return [
    `${sign} ${change.kind} ${style.bold(change.name)}`,
    ...change.properties.map(
      ({ property, existing, declared }) =>
        `    ${property}: ${shown(existing)} ${style.dim('→')} ${shown(declared)}`,
    ),
    ...change.incompatible.map((reason) => `    ${style.red('breaks')}: ${reason}`),
  ];
}

function shown(value: unknown): string {
  return value === undefined ? '(none)' : JSON.stringify(value);
}

import { Command } from 'commander';
import { backfillCommands } from './commands/backfill.ts';
import { catalogueCommands } from './commands/catalogue.ts';
import { datasetCommands } from './commands/datasets.ts';
import { deadLetterCommands } from './commands/dead-letters.ts';
import { devCommands } from './commands/dev.ts';
import { engineCommands } from './commands/engine.ts';
import { historyCommands } from './commands/history.ts';
import { inspectCommands } from './commands/inspect.ts';
import { loadCommands } from './commands/load.ts';
import { readCommands } from './commands/read.ts';
import { replayCommands } from './commands/replay.ts';
import { repositoryCommands } from './commands/repository.ts';
import { serveCommands } from './commands/serve.ts';
import { verifyCommands } from './commands/verify.ts';
import { type Bind, binder, type MakeOutput } from './context.ts';
import { packageVersion } from './package-version.ts';

const COMMANDS: readonly ((program: Command, bind: Bind) => void)[] = [
  repositoryCommands,
  catalogueCommands,
  loadCommands,
  backfillCommands,
  engineCommands,
  serveCommands,
  readCommands,
  datasetCommands,
  replayCommands,
  verifyCommands,
  inspectCommands,
  historyCommands,
  deadLetterCommands,
  devCommands,
];

export interface ProgramOptions {
  readonly makeOutput: MakeOutput;
  /** Asks long work to end well. */
  readonly signal: AbortSignal;
  /** Where help and the version go. */
  readonly writeOut: (text: string) => void;
  /** Where faults of the command line go. */
  readonly writeErr: (text: string) => void;
  /** Columns of a line of help. */
  readonly helpWidth: number;
}

/** The command `freshet`, ready to parse arguments. It throws CommanderError instead of exiting. */
export function buildProgram(options: ProgramOptions): Command {
  const { makeOutput, signal, writeOut, writeErr, helpWidth } = options;
  const program = new Command('freshet')
    .exitOverride()
    .configureOutput({ writeOut, writeErr })
    .description('One definition, the same value online, in training data and in a replay.')
    .version(packageVersion(), '-v, --version', 'print the version')
    .option('-C, --repo <folder>', 'the feature repository', '.')
    .option('--json', 'print JSON for programs')
    .option('--no-color', 'print without colours')
    .helpOption('-h, --help', 'print help')
    .showSuggestionAfterError()
    .showHelpAfterError('Run with --help for the options and examples.')
    .configureHelp({ helpWidth, sortSubcommands: false, showGlobalOptions: true });
  program.addHelpText(
    'after',
    `
Examples:
  $ freshet init shop && cd shop       make a feature repository
  $ freshet apply                      create topics, register schemas, record the definitions
  $ freshet produce orders orders.ndjson
  $ freshet run --until-caught-up      feed both stores
  $ freshet get next_order customer_id=7
`,
  );
  for (const add of COMMANDS) add(program, binder(makeOutput, signal));
  return program;
}

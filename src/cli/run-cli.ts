import { CommanderError } from 'commander';
import { FreshetError } from '../errors.ts';
import type { GlobalOptions } from './context.ts';
import { createOutput, type Output } from './output.ts';
import { buildProgram } from './program.ts';

/** Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 130 interrupted. */
const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;
export const INTERRUPTED = 130;

/** Columns of help where there is no terminal. */
const HELP_WIDTH = 100;

/** What a command has of the process it runs in. */
export interface CliSurroundings {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks long work to end well. */
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

/** Runs one command line, without the names of program and script; answers with the exit code. */
export async function runCli(args: readonly string[], around: CliSurroundings): Promise<number> {
  const { stdout, stderr, env, signal, nowMs } = around;
  const makeOutput = ({ json = false, color }: Pick<GlobalOptions, 'json' | 'color'>): Output => {
    const allowed = color && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    return createOutput({ stdout, stderr, json, color: allowed, nowMs });
  };
  // Until the command line is read: whoever asks for JSON gets its faults as JSON, too.
  const json = args.includes('--json');
  let output = makeOutput({ json, color: !args.includes('--no-color') });
  const program = buildProgram({
    makeOutput: (options) => {
      output = makeOutput(options);
      return output;
    },
    signal,
    writeOut: (text) => void stdout.write(text),
    writeErr: (text) => void (json || stderr.write(text)),
    helpWidth: stdout.columns ?? HELP_WIDTH,
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return DONE;
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return DONE;
      if (json) output.error(usageError(thrown));
      return WRONG_USAGE;
    }
    if (signal.aborted && thrown === signal.reason) return INTERRUPTED;
    output.error(thrown);
    return FAILED;
  }
}

function usageError({ code, message }: CommanderError): FreshetError {
  // A command without its subcommand prints its help, which is no message.
  const isHelp = code === 'commander.help';
  const what = isHelp ? 'no command is given' : message.replace(/^error: /, '');
  return new FreshetError('INVALID_ARGUMENT', what, {
    next: 'Run with --help for the options and examples.',
  });
}

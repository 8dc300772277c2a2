#!/usr/bin/env node
import { CommanderError } from 'commander';
import type { GlobalOptions } from './context.ts';
import { createOutput, type Output } from './output.ts';
import { buildProgram } from './program.ts';

/** Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 130 interrupted. */
const FAILED = 1;
const WRONG_USAGE = 2;
const INTERRUPTED = 130;

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(INTERRUPTED); // asked twice: at once
    stopping.abort();
  });
}
// A reader such as `head` that closes the pipe has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

let output = makeOutput({ repo: '.', color: true, json: process.argv.includes('--json') });
const program = buildProgram((options) => {
  output = makeOutput(options);
  return output;
}, stopping.signal);
for (const command of [
  program,
  ...program.commands,
  ...program.commands.flatMap((c) => c.commands),
]) {
  command.exitOverride();
}
try {
  await program.parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? 0 : WRONG_USAGE;
  } else {
    output.error(thrown);
    process.exitCode = FAILED;
  }
}

function makeOutput({ json = false, color }: GlobalOptions): Output {
  const { stdout, stderr } = process;
  const terminal = stdout.isTTY && process.env['TERM'] !== 'dumb';
  const colored = color && terminal && !process.env['NO_COLOR'];
  return createOutput({ stdout, stderr, json, color: colored, nowMs: () => performance.now() });
}

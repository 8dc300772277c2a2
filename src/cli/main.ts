#!/usr/bin/env node
import { INTERRUPTED, runCli } from './run-cli.ts';

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(INTERRUPTED); // asked twice: at once
    stopping.abort();
    if (process.stderr.isTTY) process.stderr.write('\nStopping; once more stops at once.\n');
  });
}
// A reader such as `head` that closes the pipe has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// A log that nobody reads any more is no reason to stop an engine.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const { stdout, stderr, env } = process;
process.exitCode = await runCli(process.argv.slice(2), {
  stdout,
  stderr,
  env,
  signal: stopping.signal,
  nowMs: () => performance.now(),
});

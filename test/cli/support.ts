/** The command, run in this process (fast) or in one of its own (whole). */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runCli } from '../../src/cli/run-cli.ts';
import { ROOT } from '../rules/repository.ts';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** The feature repository, put before the arguments as `--repo`. */
  readonly repo?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
  readonly signal?: AbortSignal;
}

/** Keeps what is written to it, as a terminal or as a pipe. */
export class CapturedStream extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 120;

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get asTerminal(): NodeJS.WriteStream {
    return this as unknown as NodeJS.WriteStream;
  }
}

export async function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { repo, env = {}, isTerminal = false } = options;
  const stdout = new CapturedStream(isTerminal);
  const stderr = new CapturedStream(isTerminal);
  const code = await runCli(withRepository(repo, args), {
    stdout: stdout.asTerminal,
    stderr: stderr.asTerminal,
    env,
    signal: options.signal ?? new AbortController().signal,
    nowMs: () => 0,
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** A process of its own from the sources; `finished` resolves when it has ended. */
export function spawnCli(
  args: readonly string[],
  options: Pick<CliOptions, 'repo' | 'env'> = {},
): { readonly child: ChildProcess; readonly finished: Promise<CliResult> } {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(ROOT, 'src/cli/main.ts'), ...withRepository(options.repo, args)],
    { cwd: ROOT, env: { ...process.env, NO_COLOR: '1', ...options.env } },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const finished = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, finished };
}

function withRepository(repo: string | undefined, args: readonly string[]): readonly string[] {
  return repo === undefined ? args : ['--repo', repo, ...args];
}

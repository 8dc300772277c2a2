import { type SpawnOptions, spawn } from 'node:child_process';

export interface RunOptions extends Pick<SpawnOptions, 'env' | 'uid' | 'gid'> {
  /** What it reads. Default: nothing. */
  readonly input?: string;
}

/** What a program prints. @throws Error with what it complains of, when it fails */
export function runProgram(
  command: string,
  args: readonly string[],
  { input = '', ...options }: RunOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(output).toString());
      else reject(new Error(`${command} ended with ${code}: ${Buffer.concat(errors)}`));
    });
    // One that ends before it has read everything has closed the pipe; how it ended tells the rest.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./updating-process.ts', import.meta.url));

/** Starts a process that changes the registry (`updating-process.ts`). */
export function startUpdating(file: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', PROGRAM, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** What the process writes next. */
export async function output(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout!, 'data')) as [Buffer];
  return chunk.toString();
}

/** Its exit code, or the signal that ended it. */
export async function ending(child: ChildProcess): Promise<number | string> {
  if (child.exitCode !== null) return child.exitCode;
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return code ?? signal ?? '';
}

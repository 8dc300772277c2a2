import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../rules/repository.ts';
import type { WorkerOptions } from './worker-program.ts';

/** A worker process of the tests, which can be killed and frozen. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  readonly #ended: Promise<string>;
  /** What it has said, a line a step. */
  readonly steps: string[] = [];
  #errors = '';

  constructor(options: WorkerOptions) {
    const program = join(ROOT, 'test/kafka/broker/worker-program.ts');
    const args = ['--import', 'tsx', program, JSON.stringify(options)];
    this.#child = spawn(process.execPath, args, { cwd: ROOT });
    let rest = '';
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      this.steps.push(...lines);
      for (const watch of [...this.#watchers]) watch();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        resolve(signal ?? String(code));
        for (const watch of [...this.#watchers]) watch();
      });
    });
  }

  /** @throws Error when it ends before */
  async until(isSo: (steps: readonly string[]) => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const watch = (): void => {
        const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
        if (!isSo(this.steps) && !hasEnded) return;
        this.#watchers.delete(watch);
        if (isSo(this.steps)) resolve();
        else reject(new Error(`the worker ended: ${this.#errors}`));
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  /** The partitions that it says it has. */
  get partitions(): number[] {
    const mine = new Set<number>();
    for (const step of this.steps) {
      const [what, partition] = step.split(' ');
      if (what === 'assigned') mine.add(Number(partition));
      if (what === 'revoked') mine.delete(Number(partition));
    }
    return [...mine].sort();
  }

  /** The signal or the exit code that ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<string> {
    this.#child.kill(signal);
    return this.#ended;
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }
}

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../../src/errors.ts';

export interface ChildServiceOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Takes what the service prints; appended to. */
  readonly logFile: string;
  /** True once the service answers. */
  readonly isReady: () => Promise<boolean>;
  /** Default 60,000. */
  readonly startMsMax?: number;
  /** Default: those of this process. */
  readonly process?: Pick<SpawnOptions, 'env' | 'uid' | 'gid'>;
}

const STOP_MS_MAX = 10_000;
const READY_CHECK_MS = 100;

/** A service in a child process: started until it answers, stopped by its own process id. */
export class ChildService {
  readonly #options: ChildServiceOptions;
  readonly #child: ChildProcess;
  #exited = false;

  private constructor(options: ChildServiceOptions) {
    this.#options = options;
    const log = openSync(options.logFile, 'a');
    this.#child = spawn(options.command, options.args, {
      ...options.process,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child.once('exit', () => this.#end());
    this.#child.once('error', () => this.#end());
  }

  static async start(options: ChildServiceOptions): Promise<ChildService> {
    const service = new ChildService(options);
    // A killed parent must not leave the service behind.
    process.once('exit', service.#killNow);
    const attempts = Math.ceil((options.startMsMax ?? 60_000) / READY_CHECK_MS);
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (service.#exited) throw await service.#failure('ended before it was ready');
      if (await options.isReady().catch(() => false)) return service;
      await sleep(READY_CHECK_MS);
    }
    await service.stop();
    throw await service.#failure('did not answer in time');
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Asks it to end, and ends it when it does not. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#exited) return;
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill(signal);
    const timer = setTimeout(this.#killNow, STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
  }

  /** Freezes and thaws the process, as a long pause of its machine would. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  readonly #killNow = (): void => {
    this.#child.kill('SIGKILL');
  };

  #end(): void {
    this.#exited = true;
    process.removeListener('exit', this.#killNow);
  }

  async #failure(what: string): Promise<FreshetError> {
    const { name, logFile } = this.#options;
    const log = await readFile(logFile, 'utf8');
    const tail = log.trimEnd().split('\n').slice(-10).join('\n');
    return new FreshetError('DEV_SERVICE_FAILED', `${name} ${what}. Its last lines:\n${tail}`, {
      where: { file: logFile },
    });
  }
}

/** A port of the loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

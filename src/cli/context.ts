import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { loadConfig, loadRepository } from '../config/index.ts';
import { type FeatureStore, openFeatureStore } from '../feature-store/index.ts';
import { startTracing } from '../tracing/index.ts';
import type { Output } from './output.ts';
import { packageVersion } from './package-version.ts';

/** What every command works with. */
export interface Context {
  readonly output: Output;
  /** The feature repository: `--repo`, or the folder the command runs in. */
  readonly repoDir: string;
  readonly signal: AbortSignal;
  /** Opens the repository with its definitions; closed when the task ends, however it ends. */
  withStore<T>(task: (store: FeatureStore) => Promise<T>): Promise<T>;
}

/** An action that is handed its context, then what commander hands it. */
export type Action<A extends readonly unknown[]> = (context: Context, ...args: A) => Promise<void>;

/** Options of the program itself, before or behind the command. */
export interface GlobalOptions {
  readonly repo: string;
  readonly json?: boolean;
  readonly color: boolean;
}

export type MakeOutput = (options: GlobalOptions) => Output;

/** Binds actions to the options that the program was given. */
export type Bind = <A extends readonly unknown[]>(
  action: Action<A>,
) => (...args: [...A, Command]) => Promise<void>;

export function binder(makeOutput: MakeOutput, signal: AbortSignal): Bind {
  return (action) =>
    async (...args) => {
      const command = args.at(-1) as Command;
      const options = command.optsWithGlobals<GlobalOptions>();
      const repoDir = resolve(options.repo);
      const context: Context = {
        output: makeOutput(options),
        repoDir,
        signal,
        withStore: (task) => withStore(repoDir, task),
      };
      await action(context, ...(args.slice(0, -1) as never));
    };
}

async function withStore<T>(
  repoDir: string,
  task: (store: FeatureStore) => Promise<T>,
): Promise<T> {
  await loadConfig(repoDir); // first: where there is no repository, that is the fault
  const definitions = await loadRepository(repoDir);
  const store = await openFeatureStore({ directory: repoDir, definitions });
  const { tracing: config } = store.config;
  const tracing = config && (await startTracing(config, { version: packageVersion() }));
  try {
    return await task(store);
  } finally {
    await store.close().finally(() => tracing?.close());
  }
}

/** A whole number as an option's value. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a whole number.');
}

/** Values of an option that may be given several times, or with commas. */
export function list(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((part) => part.trim())];
}

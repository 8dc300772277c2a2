/**
 * The registry: what has been applied, in one JSON file. Readers take no lock; a change takes the
 * lock file beside it, reads, writes a new file and renames it over the old one, so that two
 * processes never lose each other's changes and a reader never sees half of one.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { FreshetError, toFreshetError } from '../errors.ts';
import { withFileLock } from './file-lock.ts';
import type { RegistryState } from './registry-state.ts';
import { emptyRegistry, REGISTRY_FORMAT } from './registry-state.ts';

export interface RegistryFileOptions {
  readonly path: string;
  readonly project: string;
  readonly clock: Clock;
  /** How long a change waits for another process. Default 10,000. */
  readonly lockWaitMs?: number;
}

export class RegistryFile {
  readonly #options: RegistryFileOptions;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: RegistryFileOptions) {
    this.#options = options;
  }

  /**
   * What is applied now; an empty registry where nothing is.
   * @throws FreshetError REGISTRY_VERSION, REGISTRY_CORRUPT, CONFIG_INVALID for another project's
   */
  async read(): Promise<RegistryState> {
    const { path, project } = this.#options;
    const text = await readFile(path, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return null;
      throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
    });
    if (text === null) return emptyRegistry(project);
    const state = parseRegistry(text, path);
    if (state.project === project) return state;
    throw new FreshetError(
      'CONFIG_INVALID',
      `${path} is the registry of project "${state.project}", not of "${project}"`,
      {
        where: { file: path },
        next: 'Give each project its own registry.path in freshet.yaml: one would delete what the other applied.',
      },
    );
  }

  /**
   * Replaces the state by what `change` makes of it; one change at a time over all processes. The
   * same object back means that nothing changes.
   * @throws FreshetError REGISTRY_LOCKED when another process keeps it, REGISTRY_VERSION,
   * REGISTRY_CORRUPT, CONFIG_INVALID, DISK_FAILED, and what `change` throws: then nothing is written
   */
  update(
    change: (state: RegistryState) => RegistryState | Promise<RegistryState>,
  ): Promise<RegistryState> {
    return this.#alone(async () => {
      const before = await this.read();
      const after = await change(before);
      if (after === before) return before;
      const updatedAtMs = this.#options.clock.nowMs();
      const written = { ...after, revision: before.revision + 1, updatedAtMs };
      await replaceFile(this.#options.path, `${JSON.stringify(written, null, 2)}\n`);
      return written;
    });
  }

  /**
   * Removes the registry when `undo` has undone what it records, and gives what it was.
   * @throws FreshetError as `update`, and what `undo` throws: then the registry stays
   */
  remove(undo: (state: RegistryState) => Promise<void>): Promise<RegistryState> {
    return this.#alone(async () => {
      const state = await this.read();
      await undo(state);
      await rm(this.#options.path, { force: true });
      return state;
    });
  }

  /** Calls of this object wait for each other without an end; other processes only so long. */
  #alone<T>(task: () => Promise<T>): Promise<T> {
    const { path, lockWaitMs = 10_000 } = this.#options;
    const result = this.#lastChange.then(async () => {
      await mkdir(dirname(path), { recursive: true }).catch((thrown) => {
        throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
      });
      return withFileLock(`${path}.lock`, lockWaitMs, task);
    });
    this.#lastChange = result.catch(() => {}); // the caller gets the error
    return result;
  }
}

const HEADER = z.object({ format: z.int() });
const STATE = z.object({
  format: z.int(),
  project: z.string(),
  revision: z.int(),
  updatedAtMs: z.number(),
  definitions: z.array(
    z.object({
      kind: z.string(),
      name: z.string(),
      spec: z.record(z.string(), z.unknown()),
      description: z.string(),
      tags: z.record(z.string(), z.string()),
      owner: z.string(),
      fingerprint: z.string(),
    }),
  ),
  views: z.record(z.string(), z.string()),
  handovers: z.record(z.string(), z.array(z.int())).default({}),
  topics: z.array(z.string()),
  subjects: z.array(z.string()),
});

function parseRegistry(text: string, path: string): RegistryState {
  const where = { file: path };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FreshetError('REGISTRY_CORRUPT', `${path} is not JSON`, { where, cause });
  }
  const header = HEADER.safeParse(value);
  if (header.success && header.data.format !== REGISTRY_FORMAT) {
    const what = `${path} has format ${header.data.format}; this Freshet reads ${REGISTRY_FORMAT}`;
    throw new FreshetError('REGISTRY_VERSION', what, { where });
  }
  const state = STATE.safeParse(value);
  if (state.success) return state.data as unknown as RegistryState;
  const [issue] = state.error.issues;
  throw new FreshetError(
    'REGISTRY_CORRUPT',
    `${path} is not a registry: ${issue?.path.join('.')}: ${issue?.message}`,
    { where },
  );
}

/** Under the lock nobody else writes the temporary file; what a crash leaves of it is overwritten. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await using file = await open(temporary, 'w');
    await file.writeFile(text);
    await file.sync();
    await rename(temporary, path);
    await using directory = await open(dirname(path));
    await directory.sync();
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  }
}

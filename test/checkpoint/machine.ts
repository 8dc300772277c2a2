/**
 * A machine that fails at its n-th step, where a step is a write of the store, an operation of the
 * file system or an append to the log. The store and the files know what is durable: a machine that
 * lost its power comes back without the rest.
 */
import { renameSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FileSystem } from '../../src/core/fs.ts';
import { FreshetError } from '../../src/errors.ts';
import type { KvBatch, KvStore } from '../../src/kv/index.ts';
import type { Log, LogReader } from '../../src/log/index.ts';
import { nodeFileSystem } from '../../src/segment/index.ts';
import { openTestKv } from '../state/test-store.ts';

export interface Fault {
  /** Number of the step, from 0, or the first step of a name. */
  readonly at: number | string;
  /** Whether the step has its effect all the same. */
  readonly done: boolean;
  /** `stop`: nothing works from here on. `once`: the step throws what can be tried again. */
  readonly kind: 'stop' | 'once';
}

export class Machine {
  /** What was done, in order. */
  readonly steps: string[] = [];
  readonly #fault: Fault | null;
  readonly #onStop: () => void;
  #isOn = true;

  constructor(fault: Fault | null = null, onStop: () => void = () => {}) {
    this.#fault = fault;
    this.#onStop = onStop;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  requirePower(): void {
    if (!this.#isOn) throw new FreshetError('STORE_CLOSED', 'the machine has stopped');
  }

  async step<T>(name: string, work: () => Promise<T>, failure: () => Error): Promise<T> {
    this.requirePower();
    const place = typeof this.#fault?.at === 'string' ? this.steps.indexOf(name) : -1;
    const at = this.steps.push(name) - 1;
    const fails = at === this.#fault?.at || (name === this.#fault?.at && place === -1);
    if (fails && this.#fault?.done === false) throw this.#fail(failure);
    const result = await work();
    if (fails) throw this.#fail(failure);
    return result;
  }

  #fail(failure: () => Error): Error {
    if (this.#fault?.kind === 'once') return failure();
    this.#isOn = false;
    this.#onStop();
    return new FreshetError('STORE_CLOSED', 'the machine stops here');
  }
}

/** A store in memory that outlives its machine. */
export class DurableKv {
  readonly #writes: KvBatch[] = [];
  #durable = 0;

  /** What was written so far, on this machine. */
  async open(machine: Machine): Promise<KvStore> {
    const kv = await openTestKv();
    for (const batch of this.#writes) await kv.write(batch);
    const full = (): Error => new FreshetError('DISK_FULL', 'no space for the store');
    const open: Partial<KvStore> = {
      write: (batch, options) =>
        machine.step(
          options?.sync ? 'synced write' : 'write',
          async () => {
            await kv.write(batch);
            this.#writes.push(batch);
            if (options?.sync) this.#durable = this.#writes.length;
          },
          full,
        ),
      close: () => kv.close(),
    };
    return guarded(kv, open, machine);
  }

  losePower(): void {
    this.#writes.length = this.#durable;
  }
}

/** The real file system, which remembers what a loss of power would undo. */
export class DurableFiles {
  #renamed: { from: string; to: string }[] = [];
  readonly #synced = new Set<string>();
  readonly #torn = new Set<string>();

  open(machine: Machine): FileSystem {
    const full = (): Error => Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const step = <T>(name: string, work: () => Promise<T>): Promise<T> =>
      machine.step(name, work, full);
    return {
      makeDirectory: (path) => step('makeDirectory', () => nodeFileSystem.makeDirectory(path)),
      list: (path) => step('list', () => nodeFileSystem.list(path)),
      sizeBytes: (path) => step('sizeBytes', () => nodeFileSystem.sizeBytes(path)),
      remove: (path) =>
        step('remove', async () => {
          await nodeFileSystem.remove(path);
          this.#renamed = this.#renamed.filter(({ to }) => to !== path);
          this.#synced.delete(path);
          this.#torn.delete(path);
        }),
      rename: (from, to) =>
        step('rename', async () => {
          await nodeFileSystem.rename(from, to);
          this.#renamed.push({ from, to });
          if (!this.#synced.delete(from)) this.#torn.add(to);
        }),
      syncFile: (path) =>
        step('syncFile', async () => {
          await nodeFileSystem.syncFile(path);
          this.#synced.add(path);
        }),
      syncDirectory: (path) =>
        step('syncDirectory', async () => {
          await nodeFileSystem.syncDirectory(path);
          this.#renamed = this.#renamed.filter(({ to }) => dirname(to) !== path);
        }),
    };
  }

  losePower(): void {
    for (const file of this.#torn) truncateSync(file, Math.floor(statSync(file).size / 2));
    for (const { from, to } of this.#renamed.reverse()) renameSync(to, from);
    this.#renamed = [];
    this.#synced.clear();
    this.#torn.clear();
  }
}

/** The log as a machine sees it; the log itself is elsewhere and durable. */
export function logOn(log: Log, machine: Machine): Log {
  const gone = (): Error => new FreshetError('LOG_UNAVAILABLE', 'the log is away');
  const reader = async (opened: Promise<LogReader>): Promise<LogReader> => {
    const real = await opened;
    return guarded(real, { close: () => real.close() }, machine);
  };
  const open: Partial<Log> = {
    append: (records) => machine.step('append', () => log.append(records), gone),
    commitOffsets: (group, cursors) =>
      machine.step('commitOffsets', () => log.commitOffsets(group, cursors), gone),
    assign: (cursors) => reader(log.assign(cursors)),
    join: (membership) => reader(log.join(membership)),
  };
  return guarded(log, open, machine);
}

/** The object with some of its methods replaced; all others need power. */
function guarded<T extends object>(real: T, replaced: Partial<T>, machine: Machine): T {
  return new Proxy(real, {
    get(target, name) {
      if (name in replaced) return replaced[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        machine.requirePower();
        return value.apply(target, given);
      };
    },
  });
}

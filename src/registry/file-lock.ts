/**
 * A lock that is a file with the number of its holder. The file is linked into place with its
 * content, so that a lock always names someone; the lock of a process that has died is taken over.
 */
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError, toFreshetError } from '../errors.ts';

const RETRY_MS = 20;

/** Locks of this process. A file that names it and is not here is of an earlier one of its number. */
const held = new Set<string>();

/**
 * Runs the task while this process alone holds the lock.
 * @throws FreshetError REGISTRY_LOCKED after `waitMs`, DISK_FAILED, and what the task throws
 */
export async function withFileLock<T>(
  path: string,
  waitMs: number,
  task: () => Promise<T>,
): Promise<T> {
  let waitedMs = 0;
  while (!(await tryLock(path))) {
    const holder = await holderOf(path);
    if (holder === null) continue; // it has just let go
    if (!isAlive(holder, path) && (await takeAway(path, holder))) continue;
    if (waitedMs >= waitMs) {
      throw new FreshetError('REGISTRY_LOCKED', `process ${holder} is changing it`, {
        where: { file: path },
      });
    }
    await sleep(RETRY_MS);
    waitedMs += RETRY_MS;
  }
  try {
    return await task();
  } finally {
    await unlock(path);
  }
}

async function tryLock(path: string): Promise<boolean> {
  if (held.has(path)) return false;
  held.add(path);
  const named = `${path}.${process.pid}`;
  try {
    await writeFile(named, String(process.pid));
    await link(named, path);
    return true;
  } catch (thrown) {
    held.delete(path);
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  } finally {
    await rm(named, { force: true });
  }
}

async function unlock(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } finally {
    held.delete(path);
  }
}

/** Null where there is no lock. */
async function holderOf(path: string): Promise<number | null> {
  const text = await readFile(path, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return null;
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  });
  return text === null ? null : Number.parseInt(text, 10);
}

/** A lock that names nobody was cut short by a loss of power. */
function isAlive(pid: number, path: string): boolean {
  if (Number.isNaN(pid)) return false;
  if (pid === process.pid) return held.has(path);
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Removes the lock of a dead process, under a lock of its own: otherwise the second of two who saw
 * the dead holder would remove the lock of the first. False while another is doing it.
 */
async function takeAway(path: string, deadHolder: number): Promise<boolean> {
  const takeover = `${path}.takeover`;
  if (!(await tryLock(takeover))) {
    const holder = await holderOf(takeover);
    if (holder !== null && !isAlive(holder, takeover)) await rm(takeover, { force: true });
    return false;
  }
  try {
    if (Object.is(await holderOf(path), deadHolder)) await rm(path, { force: true });
    return true;
  } finally {
    await unlock(takeover);
  }
}

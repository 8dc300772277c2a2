import { open, readFile, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError, toFreshetError } from '../errors.ts';

const RETRY_MS = 20;

/**
 * Runs the task while this process alone holds the lock file, which names its holder. The lock of a
 * process that has died is taken over.
 * @throws FreshetError REGISTRY_LOCKED after `waitMs`
 */
export async function withFileLock<T>(
  path: string,
  waitMs: number,
  task: () => Promise<T>,
): Promise<T> {
  let waitedMs = 0;
  while (!(await tryLock(path))) {
    const holder = await holderOf(path);
    if (holder !== null && !isAlive(holder)) {
      await takeAway(path, holder);
      continue;
    }
    if (waitedMs >= waitMs) {
      throw new FreshetError('REGISTRY_LOCKED', `process ${holder ?? 'unknown'} is changing it`, {
        where: { file: path },
      });
    }
    await sleep(RETRY_MS);
    waitedMs += RETRY_MS;
  }
  try {
    return await task();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(String(process.pid)).finally(() => handle.close());
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  }
}

/** Null while the holder has not written its number yet, or has just let go. */
async function holderOf(path: string): Promise<number | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) ? null : pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** By a rename, which only one of several waiting processes can do; a lock taken since goes back. */
async function takeAway(path: string, deadHolder: number): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return; // another process was first
  }
  if ((await holderOf(aside)) === deadHolder) await rm(aside, { force: true });
  else await rename(aside, path);
}

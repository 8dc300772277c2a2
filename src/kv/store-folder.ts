import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FreshetError } from '../errors.ts';
import type { KvDriver } from './kv-driver.ts';
import { isLockFailure, isMissingFileFailure, storeFailure } from './store-failure.ts';

export interface StoreFolder {
  readonly path: string;
  readonly readOnly: boolean;
}

/** Opening read-only beside a writer can lose a file between listing and opening; this is how often to try. */
const OPEN_ATTEMPTS_MAX = 8;
const HOLDER_FILE = 'HOLDER';

/**
 * Opens the driver of a folder. RocksDB's own lock decides who writes, and the system frees it when
 * the process dies; the file HOLDER beside it only says who holds it.
 */
export async function openStoreFolder(
  path: string,
  readOnly: boolean,
  open: (folder: StoreFolder) => Promise<KvDriver>,
): Promise<KvDriver> {
  if (readOnly) return openBesideWriter(path, open);
  await mkdir(path, { recursive: true });
  let driver: KvDriver;
  try {
    driver = await open({ path, readOnly });
  } catch (thrown) {
    throw isLockFailure(thrown) ? await lockedBy(path, thrown) : storeFailure(thrown);
  }
  const holder = join(path, HOLDER_FILE);
  await writeFile(holder, `${process.pid}\n`);
  return forgettingHolder(driver, holder);
}

async function openBesideWriter(
  path: string,
  open: (folder: StoreFolder) => Promise<KvDriver>,
): Promise<KvDriver> {
  const present = await stat(join(path, 'CURRENT')).catch(() => null);
  if (present === null) throw new FreshetError('STORE_NOT_FOUND', `${path} holds no store`);
  for (let attempt = 1; ; attempt++) {
    try {
      return await open({ path, readOnly: true });
    } catch (thrown) {
      if (!isMissingFileFailure(thrown) || attempt === OPEN_ATTEMPTS_MAX) {
        throw storeFailure(thrown);
      }
    }
  }
}

function forgettingHolder(driver: KvDriver, holder: string): KvDriver {
  const close = driver.close.bind(driver);
  driver.close = async () => {
    await rm(holder, { force: true });
    await close();
  };
  return driver;
}

async function lockedBy(path: string, cause: unknown): Promise<FreshetError> {
  const text = await readFile(join(path, HOLDER_FILE), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  const who = isAlive(pid)
    ? pid === process.pid
      ? `this process (${pid})`
      : `process ${pid}`
    : 'another process';
  return new FreshetError('STORE_LOCKED', `${path} is in use by ${who}`, { cause });
}

/** Signal 0 only asks whether the process is there; EPERM means that it is, and is someone else's. */
function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

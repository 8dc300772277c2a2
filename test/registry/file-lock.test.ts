import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withFileLock } from '../../src/registry/file-lock.ts';
import { useFolder } from './support.ts';

const newFolder = useFolder();

function newPath(): string {
  return join(newFolder().path, 'lock');
}

/** The number of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

const done = async (): Promise<string> => 'done';

describe('a lock file', () => {
  it('names its holder while it is held, and is gone then', async () => {
    const path = newPath();
    const text = await withFileLock(path, 0, async () => readFileSync(path, 'utf8'));
    expect(text).toBe(String(process.pid));
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  it('is gone when the task fails, too', async () => {
    const path = newPath();
    const failing = withFileLock(path, 0, async () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(existsSync(path)).toBe(false);
  });

  it('keeps a second holder of this process out', async () => {
    const path = newPath();
    await withFileLock(path, 0, async () => {
      await expect(withFileLock(path, 0, done)).rejects.toMatchObject({
        code: 'REGISTRY_LOCKED',
        where: { file: path },
      });
    });
    expect(await withFileLock(path, 0, done)).toBe('done');
  });

  it('runs many tasks of this process one after the other', async () => {
    const path = newPath();
    let inside = 0;
    const task = async (): Promise<void> => {
      expect(++inside).toBe(1);
      await new Promise(setImmediate);
      inside--;
    };
    await Promise.all(Array.from({ length: 10 }, () => withFileLock(path, 60_000, task)));
    expect(inside).toBe(0);
  });

  it.each<[string, () => string]>([
    ['of a process that has died', () => String(deadPid())],
    ['of an earlier process of this number', () => String(process.pid)],
    ['that a loss of power left without a name', () => ''],
  ])('%s is taken over at once', async (_, text) => {
    const path = newPath();
    writeFileSync(path, text());
    expect(await withFileLock(path, 0, done)).toBe('done');
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  it('of a dead process is taken over by one of many', async () => {
    const path = newPath();
    const pid = String(deadPid());
    for (let round = 0; round < 10; round++) {
      writeFileSync(path, pid);
      let inside = 0;
      const task = async (): Promise<void> => {
        expect(++inside).toBe(1);
        await new Promise(setImmediate);
        inside--;
      };
      await Promise.all(Array.from({ length: 8 }, () => withFileLock(path, 60_000, task)));
    }
    expect(existsSync(path)).toBe(false);
  });

  it('is taken over although one died while it did so', async () => {
    const path = newPath();
    writeFileSync(path, String(deadPid()));
    writeFileSync(`${path}.takeover`, String(deadPid()));
    expect(await withFileLock(path, 1_000, done)).toBe('done');
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  it('of another user’s process is not taken over', async () => {
    const path = newPath();
    writeFileSync(path, '1'); // the first process of every system lives
    await expect(withFileLock(path, 0, done)).rejects.toMatchObject({ code: 'REGISTRY_LOCKED' });
    expect(readFileSync(path, 'utf8')).toBe('1');
  });

  it('that cannot be made or read is a failure of the disk', async () => {
    const nowhere = join(newFolder().path, 'no', 'folder', 'lock');
    await expect(withFileLock(nowhere, 0, done)).rejects.toMatchObject({ code: 'DISK_FAILED' });
    const path = newPath();
    mkdirSync(path);
    await expect(withFileLock(path, 0, done)).rejects.toMatchObject({ code: 'DISK_FAILED' });
  });
});

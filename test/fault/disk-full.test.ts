/** A disk that is really full: a small one of its own, mounted where only the tested process sees it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../rules/repository.ts';

const ROWS = 20_000;
const DISK_BYTES = 512 * 1024;
const UNSHARE = ['--mount', '--map-root-user'];
const MAY_MOUNT =
  spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status === 0;

// Elsewhere `test/pipeline/crash.test.ts` alone makes each step fail, by injection.
describe.skipIf(!MAY_MOUNT)('a disk that is full when a segment is written', () => {
  let folder = '';
  let seen: Record<string, unknown>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-full-'));
    await mkdir(join(folder, 'offline'));
    seen = JSON.parse(await runOnSmallDisk(folder));
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('stops an engine that is to stop with DISK_FULL, the file and what to do', () => {
    expect(seen['stopped']).toMatchObject({
      code: 'DISK_FULL',
      where: { file: expect.stringContaining('offline') },
      next: expect.stringContaining('nothing was lost'),
    });
  });

  it('is tried again by an engine that runs, until there is space', () => {
    expect(seen['retry']).toMatchObject({ code: 'DISK_FULL', topic: 'events', partition: 0 });
  });

  it('loses and doubles nothing', () => {
    const { history, online, ranges } = seen;
    expect({ history, online }).toEqual({ history: { rows: ROWS, keys: ROWS }, online: ROWS });
    expect(ranges).toEqual([[0, ROWS]]);
  });
});

async function runOnSmallDisk(folder: string): Promise<string> {
  const program = join(ROOT, 'test/fault/disk-full-program.ts');
  const script = `mount -t tmpfs -o size=${DISK_BYTES} tmpfs "$1/offline" && exec "$2" --import tsx "$3" "$1" ${ROWS}`;
  const args = [...UNSHARE, 'sh', '-c', script, 'sh', folder, process.execPath, program];
  const child = spawn('unshare', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code, text).toBe(0);
  return text;
}

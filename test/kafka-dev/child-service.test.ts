import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChildService, freePort } from '../../connectors/kafka-dev/child-service.ts';

const LISTEN = 'require("net").createServer().listen(Number(process.argv[1]), "127.0.0.1")';

describe('a service in a child process', () => {
  let folder: string;
  let logFile: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-service-'));
    logFile = join(folder, 'service.log');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const start = (program: string, port: number, startMsMax?: number): Promise<ChildService> =>
    ChildService.start({
      name: 'the listener',
      command: process.execPath,
      args: ['-e', program, String(port)],
      logFile,
      isReady: () => accepts(port),
      ...(startMsMax !== undefined && { startMsMax }),
    });

  it('is there once it answers, and gone once it is stopped', async () => {
    const port = await freePort();
    const service = await start(LISTEN, port);
    expect(service.pid).toBeGreaterThan(0);
    expect(await accepts(port)).toBe(true);
    await service.stop();
    await service.stop();
    expect(await accepts(port)).toBe(false);
    expect(() => process.kill(service.pid, 0)).toThrow('ESRCH');
  });

  it('has the environment that it is given, and no other', async () => {
    const port = await freePort();
    const service = await ChildService.start({
      name: 'the listener',
      command: process.execPath,
      args: ['-e', `console.log(Object.keys(process.env)); ${LISTEN}`, String(port)],
      logFile,
      isReady: () => accepts(port),
      process: { env: { ONLY: '1' } },
    });
    await service.stop();
    expect(await readFile(logFile, 'utf8')).toBe("[ 'ONLY' ]\n");
  });

  it('is ended at once when it is killed', async () => {
    const port = await freePort();
    const service = await start(`process.on("SIGTERM", () => {});${LISTEN}`, port);
    await service.stop('SIGKILL');
    expect(await accepts(port)).toBe(false);
  });

  it('says why it did not start, with what it printed last', async () => {
    const failing = start('console.error("no room"); process.exit(3)', await freePort());
    await expect(failing).rejects.toMatchObject({
      code: 'DEV_SERVICE_FAILED',
      message: expect.stringMatching(/the listener ended before it was ready[\s\S]*no room/),
      where: { file: logFile },
    });
    expect(await readFile(logFile, 'utf8')).toBe('no room\n');
  });

  it('is given up and ended when it does not answer in time', async () => {
    const silent = start('setInterval(() => {}, 1000)', await freePort(), 300);
    await expect(silent).rejects.toMatchObject({
      code: 'DEV_SERVICE_FAILED',
      message: expect.stringContaining('did not answer in time'),
    });
  });

  it('cannot be a command that is not there', async () => {
    const missing = ChildService.start({
      name: 'nothing',
      command: join(folder, 'nothing'),
      args: [],
      logFile,
      isReady: async () => false,
    });
    await expect(missing).rejects.toMatchObject({ code: 'DEV_SERVICE_FAILED' });
  });
});

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

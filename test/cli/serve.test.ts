import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';
import { loadConfig } from '../../src/config/index.ts';
import { CapturedStream, cli } from './support.ts';

let folder = '';
let repo = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-serve-'));
  repo = join(folder, 'shop');
  await cli(['init', repo, '--project', 'shop']);
  await cli(['apply'], { repo });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const CUSTOMER = { features: ['last_order:amount'], entities: { customer_id: [1] } };

describe('freshet ui', () => {
  it('serves the console beside the features, and lets it write only when it is told to', async () => {
    const access: object[] = [];
    for (const args of [[], ['--allow-writes']]) {
      const { code, stderr } = await serving(
        ['--no-engine', '--log', 'none', ...args],
        async (url, said) => {
          expect(said.console).toBe(`${url}/ui/`);
          expect(await (await fetch(url)).text()).toContain('<title>Freshet</title>');
          expect((await fetch(`${url}/ui/app.js`)).status).toBe(200);
          access.push((await (await fetch(`${url}/v1/access`)).json()) as object);
        },
        'ui',
      );
      expect([code, stderr]).toEqual([0, '']);
    }
    expect(access).toMatchObject([
      { read: true, write: false },
      { read: true, write: true },
    ]);
  });
});

describe('the port', () => {
  it('that is the default is one that fetch connects to', async () => {
    const { port } = (await loadConfig(repo, {})).server;
    const reason = await fetch(`http://127.0.0.1:${port}/health`).then(
      () => 'connected',
      (thrown: Error) => (thrown.cause as Error).message,
    );
    expect(reason).not.toBe('bad port');
  });

  it.each([6566, 6000, 10_080])('%i is refused for the console, as browsers do', async (port) => {
    const refused = await fetch(`http://127.0.0.1:${port}/`).catch(
      (thrown) => thrown.cause.message,
    );
    expect(refused).toBe('bad port');
    const args = ['ui', '--no-engine', '--port', String(port), '--json'];
    const { code, stderr } = await cli(args, { repo });
    expect([code, JSON.parse(stderr).error]).toMatchObject([
      1,
      { code: 'INVALID_ARGUMENT', message: `browsers refuse to open port ${port}` },
    ]);
  });
});

describe('freshet serve', () => {
  it('serves what the engine beside it reads, until it is asked to stop', async () => {
    await cli(['produce', 'orders', join(repo, 'orders.ndjson')], { repo });
    const { code, stderr } = await serving(['--log', 'none'], async (url, { engine }) => {
      expect(engine).toBe(true);
      await expect
        .poll(async () => (await ask(url, CUSTOMER)).results[1].statuses)
        .toEqual(['PRESENT']);
    });
    expect([code, stderr]).toEqual([0, '']);
  });

  it('serves what is stored without the engine', async () => {
    const { code, stderr } = await serving(['--no-engine', '--log', 'none'], async (url, said) => {
      expect(said.engine).toBe(false);
      expect((await ask(url, CUSTOMER)).results[1].statuses).toEqual(['PRESENT']);
    });
    expect([code, stderr]).toEqual([0, '']);
  });

  it('refuses a port that there is not, and a network without keys', async () => {
    expect((await cli(['serve', '--port', '65536'], { repo })).code).toBe(2);
    const open = await cli(['serve', '--no-engine', '--host', '0.0.0.0', '--json'], { repo });
    expect([open.code, JSON.parse(open.stderr).error.code]).toEqual([1, 'CONFIG_INVALID']);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: an answer of JSON
async function ask(url: string, body: object): Promise<any> {
  const path = `${url}/get-online-features`;
  return (await fetch(path, { method: 'POST', body: JSON.stringify(body) })).json();
}

/** Tells when it was first written to. */
class FirstWrite extends CapturedStream {
  readonly first: Promise<void>;
  #tell = (): void => {};

  constructor() {
    super();
    this.first = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  override _write(chunk: Buffer, encoding: string, done: () => void): void {
    super._write(chunk, encoding, done);
    this.#tell();
  }
}

async function serving(
  args: readonly string[],
  task: (
    url: string,
    said: { readonly engine: boolean; readonly console?: string },
  ) => Promise<void>,
  command: 'serve' | 'ui' = 'serve',
): Promise<{ readonly code: number; readonly stderr: string }> {
  const [stdout, stderr, stop] = [new FirstWrite(), new CapturedStream(), new AbortController()];
  const finished = runCli(['--repo', repo, '--json', command, '--port', '0', ...args], {
    stdout: stdout.asTerminal,
    stderr: stderr.asTerminal,
    env: {},
    signal: stop.signal,
    nowMs: () => 0,
  });
  try {
    await Promise.race([stdout.first, finished]);
    const said = JSON.parse(stdout.text);
    await task(said.url, said);
  } finally {
    stop.abort();
  }
  return { code: await finished, stderr: stderr.text };
}

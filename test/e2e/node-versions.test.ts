/**
 * The quickstart on other versions of Node, with their own builds of the native packages:
 * `npm run test:node-versions`. They come from npm's package `node`; where it cannot be had, the
 * test is skipped with the reason.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../rules/repository.ts';

const run = promisify(execFile);
/** Major versions; tried only where they are named, for each is a download of 50 MB. */
const NAMED = process.env['FRESHET_NODE_VERSIONS'];
const VERSIONS = (NAMED || '22,24').split(',');
const QUICKSTART = join(ROOT, 'examples/quickstart/main.ts');
const CLI = join(ROOT, 'src/cli/main.ts');

describe.skipIf(!NAMED)('a version of Node that FRESHET_NODE_VERSIONS names', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-node-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.for(VERSIONS)(
    '%s runs the quickstart, and the commands on what it left',
    { timeout: 600_000 },
    async (version, { skip }) => {
      const node = await findNode(version, folder).catch((thrown: Error) =>
        skip(`Node ${version} cannot be had: ${thrown.message}`),
      );
      const directory = join(folder, version);
      await makeRepository(directory);
      const program = (...args: string[]): Promise<string> => runNode(node, directory, args);
      expect(await program('-p', 'process.version')).toMatch(new RegExp(`^v${version}\\.`));
      expect(await program(QUICKSTART)).toContain(' 0 differences');
      const [status] = JSON.parse(await program(CLI, '-C', directory, 'status', '--json'));
      expect(status).toMatchObject({ topic: 'flights', segments: { rows: 3_000_000 } });
      const get = ['get', 'delay_model', 'origin=ATL', 'destination=JFK', '--full-names', '--json'];
      expect(await program(CLI, '-C', directory, ...get)).toContain('PRESENT');
    },
  );
});

/** The quickstart's definitions in a folder of its own. */
async function makeRepository(directory: string): Promise<void> {
  const features = JSON.stringify(join(ROOT, 'examples/quickstart/features.ts'));
  await mkdir(directory);
  await writeFile(join(directory, 'features.ts'), `export * from ${features};\n`);
  await writeFile(join(directory, 'freshet.yaml'), 'project: quickstart\n');
}

/** The path of a Node of that version, which `npm exec` fetches once and keeps. */
async function findNode(version: string, cwd: string): Promise<string> {
  const args = [
    'exec',
    '--yes',
    `--package=node@${version}`,
    '--',
    'node',
    '-p',
    'process.execPath',
  ];
  return (await run('npm', args, { cwd })).stdout.trim();
}

async function runNode(node: string, directory: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, FRESHET_QUICKSTART_DIR: directory };
  return (await run(node, ['--import', 'tsx', ...args], { cwd: ROOT, env })).stdout;
}

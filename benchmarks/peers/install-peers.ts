import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const FEAST = '0.67.0';
const QUIX = '3.28.1';
const PACKAGES = [`feast[duckdb]==${FEAST}`, `quixstreams==${QUIX}`];
const NAMES = ['feast', 'quixstreams', 'duckdb', 'pandas', 'pyarrow'];

/**
 * A Python with the peers, installed into the user's cache folder on the first run; null, with the
 * reason printed, where that is not possible.
 */
export async function installPeers(): Promise<string | null> {
  const venv = join(homedir(), '.cache', 'freshet', `peers-feast-${FEAST}-quixstreams-${QUIX}`);
  const python = join(venv, 'bin', 'python');
  const done = join(venv, 'installed');
  try {
    if (!existsSync(done)) {
      rmSync(venv, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', venv]);
      await run(python, ['-m', 'pip', 'install', '--quiet', ...PACKAGES]);
      await run(python, ['-c', `open(${JSON.stringify(done)}, 'w').close()`]);
    }
    const { stdout } = await run(python, ['-c', VERSIONS, ...NAMES]);
    console.log(stdout.trim());
    return python;
  } catch (thrown) {
    const [reason] = (thrown as Error).message.split('\n');
    console.log(`skipped: Feast and Quix Streams cannot be installed: ${reason}`);
    return null;
  }
}

const VERSIONS = `
import platform, sys
from importlib.metadata import version
print(', '.join([f'Python {platform.python_version()}'] + [f'{name} {version(name)}' for name in sys.argv[1:]]))
`;

import { readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { FreshetError } from '../errors.ts';

/** TypeScript and JavaScript, but neither tests nor declarations of types. */
const SCRIPT = /(?<!\.test|\.d)\.m?[jt]s$/;

/**
 * The definition files of a feature repository, as paths in it: `features.ts`, and every script
 * below `features/` except tests, files and folders with a leading dot, and `node_modules`. Other
 * files next to them, such as programs that produce or train, are not run.
 * @throws FreshetError DEFINITION_LOAD_FAILED when there is none
 */
export async function findDefinitionFiles(repoDir: string): Promise<string[]> {
  const top = (await readFolder(repoDir, false)).filter((name) => /^features\.m?[jt]s$/.test(name));
  const below = (await readFolder(join(repoDir, 'features'), true))
    .filter((path) => SCRIPT.test(path) && !path.split(sep).some(isLeftOut))
    .map((path) => join('features', path));
  const files = [...top, ...below].sort();
  if (files.length > 0) return files;
  throw new FreshetError('DEFINITION_LOAD_FAILED', `${repoDir} has no definition files`, {
    next: 'Write the definitions to features.ts, or to files of a folder features/.',
  });
}

/** Paths below a folder; none where there is no folder. */
async function readFolder(path: string, recursive: boolean): Promise<string[]> {
  try {
    return await readdir(path, { recursive });
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new FreshetError('DEFINITION_LOAD_FAILED', `${path} cannot be read`, { cause: thrown });
  }
}

function isLeftOut(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules';
}

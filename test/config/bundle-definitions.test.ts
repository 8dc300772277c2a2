import { execFile } from 'node:child_process';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleDefinitions } from '../../src/config/bundle-definitions.ts';
import { importFailure } from '../../src/config/definition-failure.ts';

const FEATURES = `
import { entity as byName } from 'freshet';
import { entity as byPath } from './own/index.ts';
interface Gone {
  readonly here: string;
}
export const isOne = byName === byPath && byName === 'the one';
export const here: Gone = { here: import.meta.url };
`;

const FAILING = `
interface Gone {
  readonly a: string;
}
const fail = (): Gone => {
  throw new Error('boom');
};
fail();
`;

/** Vitest loads modules in its own way; what a bundle does in Node is seen only in Node. */
describe('a bundle of definitions, imported by Node', () => {
  let repoDir = '';
  let outFile = '';
  beforeAll(async () => {
    repoDir = await realpath(await mkdtemp(join(tmpdir(), 'freshet-bundle-')));
    outFile = join(repoDir, 'definitions.mjs');
    await writeFile(join(repoDir, 'features.ts'), FEATURES);
    await writeFile(join(repoDir, 'failing.ts'), FAILING);
  });
  afterAll(() => rm(repoDir, { recursive: true }));

  async function bundle(...files: string[]): Promise<void> {
    const freshet = {
      names: ['entity'],
      index: join(repoDir, 'own/index.ts'),
      key: 'test.freshet',
    };
    await bundleDefinitions({ repoDir, files, freshet, outFile });
  }

  async function runInNode(code: string, ...options: string[]): Promise<string> {
    const args = [...options, '--input-type=module', '--eval', code, pathToFileURL(outFile).href];
    return (await promisify(execFile)(process.execPath, args)).stdout;
  }

  it('gives freshet, by its name and by its path, and says where each file is', async () => {
    await bundle('features.ts');
    const printed = await runInNode(`
globalThis[Symbol.for('test.freshet')] = { entity: 'the one' };
const { file000000 } = await import(process.argv[1]);
console.log(JSON.stringify(file000000));`);
    expect(JSON.parse(printed)).toEqual({
      here: { here: pathToFileURL(join(repoDir, 'features.ts')).href },
      isOne: true,
    });
  });

  it.each([[[]], [['--enable-source-maps']]])(
    'fails with the line that the code was written at (%s)',
    async (options) => {
      await bundle('failing.ts');
      const stack = await runInNode(
        'await import(process.argv[1]).catch((error) => console.log(error.stack));',
        ...options,
      );
      const thrown = Object.assign(new Error('boom'), { stack });
      expect(await importFailure(thrown, { file: outFile, repoDir })).toMatchObject({
        code: 'DEFINITION_LOAD_FAILED',
        message: 'boom',
        where: { file: 'failing.ts', line: 6 },
      });
    },
  );
});

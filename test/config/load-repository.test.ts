import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRepository } from '../../src/config/index.ts';
import * as definition from '../../src/definition/index.ts';
import { FreshetError } from '../../src/errors.ts';

const DRIVER = `
import { entity } from 'freshet';
export const driver = entity({ name: 'driver', joinKeys: { driver_id: 'int64' } });
`;

describe('loadRepository', () => {
  let repoDir = '';
  beforeEach(async () => {
    repoDir = await mkdtemp(join(tmpdir(), 'freshet-repository-'));
  });
  afterEach(() => rm(repoDir, { recursive: true }));

  async function write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(repoDir, path)), { recursive: true });
      await writeFile(join(repoDir, path), text);
    }
  }

  /** What the loaded definitions are, as `kind name`. */
  async function load(dir = repoDir): Promise<string[]> {
    const definitions = await loadRepository(dir, { freshet: { ...definition, FreshetError } });
    return definitions.map(({ kind, name }) => `${kind} ${name}`);
  }

  async function failure(files: Readonly<Record<string, string>>): Promise<FreshetError> {
    await write(files);
    const error: unknown = await load().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (error instanceof FreshetError) return error;
    throw new Error(`no failure, but ${error}`);
  }

  it('collects what is exported by name, as default and in arrays, and nothing else', async () => {
    await write({
      'features.ts': `
import { entity, parquetSource, featureView, featureService } from 'freshet';
type Named = { name: string };
const hidden = entity({ name: 'hidden', joinKeys: { id: 'string' } });
const rides = parquetSource({ name: 'rides', path: 'rides.parquet', timestampField: 'at',
  schema: { at: 'timestamp', id: 'string', fare: 'int64' } });
export const fares = featureView({ name: 'fares', entities: [hidden], source: rides, schema: { fare: 'int64' } });
export const count = 3, nothing = null, alias = fares.withName('other') as unknown as Named;
export const helper = (): Named => ({ name: 'x' });
export const services = [featureService({ name: 'pricing', features: [fares] }), 'word'];
export default rides;
`,
    });
    expect((await load()).sort()).toEqual([
      'featureService pricing',
      'featureView fares',
      'parquetSource rides',
    ]);
  });

  it('reads features.ts and all below features/, but no tests, programs or hidden files', async () => {
    const named = (name: string): string => DRIVER.replace("'driver'", `'${name}'`);
    const broken = "throw new Error('not to be run');";
    await write({
      'features.ts': named('top'),
      'features/a.ts': named('a'),
      'features/deep/b.mts': named('b'),
      'features/deep/c.js': named('c'),
      'features/a.test.ts': broken,
      'features/types.d.ts': broken,
      'features/.hidden.ts': broken,
      'features/node_modules/x/index.js': broken,
      'features/notes.md': broken,
      'produce.ts': broken,
      'data/d.ts': broken,
    });
    expect(await load()).toEqual(['entity top', 'entity a', 'entity b', 'entity c']);
  });

  it('gives a definition that several files export once', async () => {
    await write({
      'features/a.ts': DRIVER,
      'features/b.ts': `export { driver as chauffeur } from './a.ts'; export * from './a';`,
    });
    expect(await load()).toEqual(['entity driver']);
  });

  it('runs the files with the very functions of this process', async () => {
    const made: unknown[] = [];
    const entity = (spec: unknown) => {
      made.push(spec);
      return { kind: 'entity', spec };
    };
    await write({ 'features.ts': DRIVER });
    const [driver] = await loadRepository(repoDir, { freshet: { entity } });
    expect(driver).toMatchObject({ spec: made[0] });
    expect(made).toHaveLength(1);
  });

  it('gives the files this package as it runs, by its name and by its path', async () => {
    const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url));
    await write({
      'features.ts': `
import { entity, FreshetError } from 'freshet';
import { entity as byPath } from './${relative(await realpath(repoDir), index)}';
if (entity !== byPath) throw new Error('two copies');
throw new FreshetError('SOURCE_NOT_FOUND', 'known by its class');`,
    });
    await expect(loadRepository(repoDir)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });

  it('reads the files anew each time, also those they import', async () => {
    await write({
      'features.ts': `import { name } from './lib/name.ts';${DRIVER.replace("'driver'", 'name')}`,
      'lib/name.ts': `export const name: string = 'one';`,
    });
    expect(await load()).toEqual(['entity one']);
    await write({ 'lib/name.ts': `export const name = 'two';` });
    expect(await load()).toEqual(['entity two']);
    await expect(failure({ 'lib/name.ts': 'export const name = ;' })).resolves.toBeDefined();
    await write({ 'lib/name.ts': `export const name = 'three';` });
    expect(await load()).toEqual(['entity three']);
  });

  it('loads several repositories at once, and one through a symbolic link', async () => {
    await write({ 'a/features.ts': DRIVER, 'b/features.ts': DRIVER });
    await symlink(join(repoDir, 'a'), join(repoDir, 'link'));
    const all = await Promise.all(['a', 'b', 'link'].map((dir) => load(join(repoDir, dir))));
    expect(all).toEqual([['entity driver'], ['entity driver'], ['entity driver']]);
  });

  it('lets files read what lies beside them, wait, and import Node and installed packages', async () => {
    await write({
      'node_modules/names/package.json': '{ "name": "names", "main": "index.js" }',
      'node_modules/names/index.js': `exports.suffix = '_of_package'; exports.at = __filename;`,
      'lib/name.json': '{ "name": "driver" }',
      'lib/index.ts': `
import { readFile } from 'node:fs/promises';
import { suffix } from 'names';
const text: string = await readFile(new URL('name.json', import.meta.url), 'utf8');
export const name: string = JSON.parse(text).name + suffix;`,
      'features.ts': `import { name } from './lib';${DRIVER.replace("'driver'", 'name')}`,
    });
    expect(await load()).toEqual(['entity driver_of_package']);
  });

  it('names file and line of code that throws, and says nothing of the inside', async () => {
    const error = await failure({
      'features/a.ts': DRIVER,
      'features/b.ts': `
import { fail } from '../lib.ts';
interface Unused {
  readonly a: number;
}
export const x: Unused = fail();`,
      'lib.ts': `interface Gone { a: string }

export function fail(): never {
  throw new RangeError('boom');
}`,
    });
    expect(error).toMatchObject({
      code: 'DEFINITION_LOAD_FAILED',
      message: 'boom',
      where: { file: 'lib.ts', line: 4 },
    });
    expect(error.describe()).not.toContain('    at ');
  });

  it('keeps the code of a definition that is refused, and adds where it stands', async () => {
    const text = `interface Gone { a: string }${DRIVER.replace("'int64'", "'int65' as never")}`;
    expect(await failure({ 'features.ts': text })).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining('driver_id'),
      where: { file: 'features.ts', line: 3 },
      next: expect.stringContaining('A join key is'),
    });
    const own = `import { FreshetError } from 'freshet';
throw new FreshetError('SOURCE_NOT_FOUND', 'gone', { where: { source: 's', line: 9 } });`;
    expect(await failure({ 'features.ts': own })).toMatchObject({
      code: 'SOURCE_NOT_FOUND',
      where: { file: 'features.ts', line: 9, source: 's' },
    });
  });

  it.each([
    ['a slip in the syntax', 'const a: number = ;\n', 'Unexpected ";"'],
    ['one beside import.meta', 'const a = import.meta.url; const b = ;\n', 'Unexpected ";"'],
    ['a file that is not there', `import './nowhere.ts';\n`, 'Could not resolve "./nowhere.ts"'],
    ['a package that is not there', `import 'nowhere';\n`, 'Could not resolve "nowhere"'],
    ['a thrown text', `throw 'a text';`, 'a text'],
  ])('names file and line of %s', async (what, line, message) => {
    const error = await failure({ 'features.ts': `${DRIVER}\n${line}` });
    expect(error).toMatchObject({ code: 'DEFINITION_LOAD_FAILED' });
    expect(error.message).toBe(message);
    // A text has no stack that could say where it was thrown.
    expect(error.where).toEqual(what === 'a thrown text' ? {} : { file: 'features.ts', line: 5 });
  });

  it('names what was meant by an export that freshet does not have', async () => {
    const error = await failure({ 'features.ts': DRIVER.replaceAll('entity', 'entty') });
    expect(error.message).toBe('No matching export in "freshet" for import "entty"');
    expect(error.where).toEqual({ file: 'features.ts', line: 2 });
    expect(error.next).toContain('entity');
  });

  it('says what to do where there are no files, or no definitions in them', async () => {
    expect(await failure({ 'other.ts': DRIVER })).toMatchObject({
      code: 'DEFINITION_LOAD_FAILED',
      next: expect.stringContaining('features.ts'),
    });
    expect(await failure({ 'features.ts': 'export {};' })).toMatchObject({
      code: 'DEFINITION_LOAD_FAILED',
      message: 'features.ts: no definition exported',
      next: expect.stringContaining('Export every entity'),
    });
    await expect(load(join(repoDir, 'gone'))).rejects.toMatchObject({
      code: 'DEFINITION_LOAD_FAILED',
    });
  });
});

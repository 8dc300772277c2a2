import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Architecture,
  checkArchitecture,
  circularFolders,
  unplacedModules,
} from './architecture-rules.ts';

describe('the architecture rules', () => {
  const architecture: Architecture = {
    folders: {
      'src/core': [],
      'src/window': ['src/core'],
      'src/online': ['src/core', 'src/window'],
      'src/cli': ['src/*'],
      'connectors/file': ['src/core'],
    },
    openFolders: ['src/core'],
    openFiles: ['src/errors.ts'],
    publicFiles: ['src/index.ts'],
    compositionFiles: ['src/cli/connectors.ts'],
    pureFolders: ['src/core', 'src/window'],
    pureBuiltins: ['crypto'],
    packageOwners: { avsc: ['src/window'], kafkajs: ['connectors/file'], rocksdb: ['src/online'] },
    optionalPackages: ['rocksdb'],
    modulesMin: 1,
  };
  const sound = {
    'node_modules/avsc/index.js': 'module.exports = {};',
    'node_modules/lodash/index.js': 'module.exports = {};',
    'src/errors.ts': 'export const E = 1;',
    'src/index.ts': "export { O } from './online/index.ts';",
    'src/core/time.ts': "import { E } from '../errors.ts'; export const T = E;",
    'src/window/index.ts': "export { W } from './tile.ts';",
    'src/window/tile.ts':
      "import 'node:crypto'; import 'avsc'; import { T } from '../core/time.ts'; export const W = T;",
    'src/online/index.ts':
      "import 'node:fs'; import { W } from '../window/index.ts'; export const O = W;",
    'src/cli/connectors.ts':
      "import { C } from '../../connectors/file/index.ts'; export const D = C;",
    'connectors/file/index.ts': "import { T } from '../../src/core/time.ts'; export const C = T;",
  };

  it('let a sound tree pass', async () => {
    expect(await violationsOf(sound)).toEqual([]);
  });

  const faults: Record<string, { files: Record<string, string>; rules: string[] }> = {
    'an import of a folder that is not listed': {
      files: {
        'src/window/tile.ts': "import type { O } from '../online/index.ts'; export type W = O;",
      },
      rules: ['src/window: folder that it may not import'],
    },
    'an import beside index.ts': {
      files: { 'src/online/row.ts': "export { W } from '../window/tile.ts';" },
      rules: ['src/window: imported beside its index.ts'],
    },
    'a connector imported by src': {
      files: { 'src/cli/main.ts': "export { C } from '../../connectors/file/index.ts';" },
      rules: ['src/cli: folder that it may not import'],
    },
    'a connector that imports more than its contract': {
      files: { 'connectors/file/window.ts': "export { W } from '../../src/window/index.ts';" },
      rules: ['connectors/file: folder that it may not import'],
    },
    'the public index imported from inside': {
      files: { 'src/cli/main.ts': "export { O } from '../index.ts';" },
      rules: ['src/cli: folder that it may not import'],
    },
    'a package of another folder': {
      files: { 'src/online/row.ts': "import 'avsc'; export const R = 1;" },
      rules: ['avsc: package of another folder'],
    },
    'a package of another folder that is not installed': {
      files: { 'src/online/row.ts': "import 'kafkajs'; export const R = 1;" },
      rules: ['import that leads nowhere', 'kafkajs: package of another folder'],
    },
    'a package that nobody owns': {
      files: { 'src/online/row.ts': "import 'lodash'; export const R = 1;" },
      rules: ['package that no folder owns'],
    },
    'a Node I/O module in a pure folder': {
      files: { 'src/core/disk.ts': "import { open } from 'node:fs/promises'; export { open };" },
      rules: ['Node module in a folder without I/O'],
    },
    'an import of errors.ts': {
      files: { 'src/errors.ts': "import 'node:util'; export const E = 1;" },
      rules: ['import in a file that imports nothing'],
    },
    'a cycle': {
      files: {
        'src/online/a.ts': "import { b } from './b.ts'; export const a = (): number => b();",
        'src/online/b.ts': "import { a } from './a.ts'; export const b = (): number => a();",
      },
      rules: ['import cycle'],
    },
    'a test imported by the product': {
      files: {
        'test/oracle.ts': 'export const X = 1;',
        'src/online/row.ts': "export { X } from '../../test/oracle.ts';",
      },
      rules: ['program imported by the product'],
    },
    'an import that leads nowhere': {
      files: { 'src/online/row.ts': "import './gone.ts'; export const R = 1;" },
      rules: ['import that leads nowhere'],
    },
  };
  for (const [fault, { files, rules }] of Object.entries(faults)) {
    it(`catch ${fault}`, async () => {
      expect(await violationsOf({ ...sound, ...files })).toEqual(rules);
    });
  }

  it('let an optional package pass that is not installed, in the folder that owns it', async () => {
    const file = "import 'rocksdb'; export const R = 1;";
    expect(await violationsOf({ ...sound, 'src/online/row.ts': file })).toEqual([]);
    expect(await violationsOf({ ...sound, 'src/window/row.ts': file })).toEqual([
      'rocksdb: package of another folder',
    ]);
  });

  it('let a cycle of types alone pass', async () => {
    const files = {
      'src/online/a.ts': "import type { B } from './b.ts'; export interface A { b: B }",
      'src/online/b.ts': "import type { A } from './a.ts'; export interface B { a: A }",
    };
    expect(await violationsOf({ ...sound, ...files })).toEqual([]);
  });

  it('find a folder that nobody has placed', () => {
    expect(unplacedModules(architecture, ['src/core/a.ts', 'src/new/a.ts', 'src/b.ts'])).toEqual([
      'src/new/a.ts',
      'src/b.ts',
    ]);
  });

  it('find a circle in the table', () => {
    const folders = { 'src/a': ['src/b'], 'src/b': ['src/a'], 'src/c': [] };
    expect(circularFolders({ ...architecture, folders })).toEqual(['src/a', 'src/b']);
  });

  async function violationsOf(files: Record<string, string>): Promise<string[]> {
    const folder = await mkdtemp(join(tmpdir(), 'freshet-architecture-'));
    try {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
      const { violations } = await checkArchitecture(architecture, folder);
      return violations.map(({ rule }) => rule).sort();
    } finally {
      await rm(folder, { recursive: true });
    }
  }
});

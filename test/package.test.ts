import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DEPENDENCY_KINDS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

type Versions = Readonly<Record<string, string>>;

interface Package {
  readonly license: string;
  readonly type: string;
  readonly engines: { readonly node: string };
  readonly sideEffects: boolean;
  readonly bin: Versions;
  readonly exports: Readonly<Record<string, string | Versions>>;
  readonly files: readonly string[];
  readonly scripts: Versions;
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
}

interface Lock {
  readonly packages: Readonly<
    Record<string, Package & { readonly hasInstallScript?: boolean; readonly resolved?: string }>
  >;
}

describe('package.json', async () => {
  const pkg: Package = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  const lock: Lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));

  it('pins every dependency to one version', () => {
    const loose = DEPENDENCY_KINDS.flatMap((kind) => Object.entries(pkg[kind] ?? {})).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it('agrees with the lock file', () => {
    for (const kind of DEPENDENCY_KINDS) expect(lock.packages['']?.[kind]).toEqual(pkg[kind]);
  });

  it('names the oldest Node that is supported, which is also the one of the types', () => {
    expect(pkg.engines.node).toBe('>=20.19');
    expect(pkg.devDependencies?.['@types/node']).toMatch(/^20\./);
  });

  it('is an ES module without side effects under the licence of LICENSE', async () => {
    expect(pkg).toMatchObject({ type: 'module', sideEffects: false, license: 'Apache-2.0' });
    expect(await readFile(join(ROOT, 'LICENSE'), 'utf8')).toContain('Apache License');
  });

  it('exports by name, types first, what the build makes of a file of src', async () => {
    for (const [name, target] of Object.entries(pkg.exports)) {
      expect(name).not.toContain('*');
      if (typeof target === 'string') continue;
      expect(Object.keys(target)).toEqual(['types', 'default']);
      const { types = '', default: code = '' } = target;
      expect(types).toBe(code.replace(/\.js$/, '.d.ts'));
      await access(sourceOf(code));
    }
  });

  it('starts the command from a file that names its interpreter', async () => {
    for (const target of Object.values(pkg.bin)) {
      expect(await readFile(sourceOf(target), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    }
  });

  it('publishes folders that exist, and no tests', async () => {
    for (const name of pkg.files) if (name !== 'dist') await access(join(ROOT, name));
    expect(pkg.files.filter((name) => /test|benchmarks|examples/.test(name))).toEqual([]);
  });

  it('has reviewed every install script', () => {
    const scripted = Object.entries(lock.packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
      // Of macOS alone; not installed elsewhere.
      .filter((name) => name !== 'fsevents');
    expect(Object.keys(pkg.allowScripts).toSorted()).toEqual(scripted.toSorted());
  });

  it('has a script for every file that it starts', async () => {
    for (const command of Object.values(pkg.scripts)) {
      for (const file of command.match(/\S+\.(ts|json)\b/g) ?? []) await access(join(ROOT, file));
    }
  });
});

/** The TypeScript file that a file of the build comes from. */
function sourceOf(built: string): string {
  return join(ROOT, built.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts'));
}

/**
 * Definition files as one JavaScript module. A bundle, and not hooks of Node's module loader,
 * because `freshet` must mean this very process in a folder where nothing is installed.
 */
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildFailure, build, type Loader, type Plugin, transform } from 'esbuild';
import { FreshetError } from '../errors.ts';

export interface BundleOptions {
  /** Absolute, without symbolic links. */
  readonly repoDir: string;
  /** Paths in it. */
  readonly files: readonly string[];
  readonly freshet: FreshetModule;
  /** Where the bundle goes; its source map goes beside it, to `<outFile>.map`. */
  readonly outFile: string;
}

/** The module that `freshet` stands for. */
export interface FreshetModule {
  /** Its exports. */
  readonly names: readonly string[];
  /** Its file, for definitions that import it by path. */
  readonly index: string;
  /** `Symbol.for(key)` of the global object is it while the bundle is imported. */
  readonly key: string;
}

/**
 * Writes a module with one namespace a file, in the order of the files.
 * @throws FreshetError DEFINITION_LOAD_FAILED for syntax and for imports that lead nowhere
 */
export async function bundleDefinitions(options: BundleOptions): Promise<void> {
  const { repoDir, files, freshet, outFile } = options;
  const entry = files.map(
    // Numbers of one width, since a module's exports are in alphabetical order.
    (file, i) =>
      `export * as file${String(i).padStart(6, '0')} from ${JSON.stringify(`./${file}`)};`,
  );
  try {
    await build({
      stdin: { contents: entry.join('\n'), resolveDir: repoDir, sourcefile: 'freshet' },
      absWorkingDir: repoDir,
      outfile: outFile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      // As Node resolves packages: without the conditions that only bundlers set.
      conditions: [],
      mainFields: ['main'],
      sourcemap: 'both',
      logLevel: 'silent',
      plugins: [freshetPlugin(freshet), packagesPlugin, importMetaPlugin],
    });
  } catch (thrown) {
    throw bundleFailure(thrown);
  }
}

function freshetPlugin({ names, index, key }: FreshetModule): Plugin {
  const found = { path: 'freshet', namespace: 'package' };
  const contents = `export const { ${names.join(', ')} } = globalThis[Symbol.for(${JSON.stringify(key)})];`;
  return {
    name: 'freshet',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^freshet$/ }, () => found);
      onResolve({ filter: /\/index\.[jt]s$/ }, ({ resolveDir, path }) =>
        join(resolveDir, path) === index ? found : null,
      );
      onLoad({ filter: /^freshet$/, namespace: 'package' }, () => ({ contents, loader: 'js' }));
    },
  };
}

/** Installed packages stay outside of the bundle, found from the file that imports them. */
const packagesPlugin: Plugin = {
  name: 'packages',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === packagesPlugin || from.kind === 'entry-point' || isBuiltin(path))
        return null;
      const found = await resolve(path, { ...from, pluginData: packagesPlugin });
      const isInstalled = found.errors.length === 0 && /[\\/]node_modules[\\/]/.test(found.path);
      return isInstalled ? { path: pathToFileURL(found.path).href, external: true } : null;
    });
  },
};

/** `import.meta` of a file says where that file is, not where the bundle is. */
const importMetaPlugin: Plugin = {
  name: 'import-meta',
  setup({ onLoad }) {
    onLoad({ filter: /\.m?[jt]s$/, namespace: 'file' }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!text.includes('import.meta')) return null;
      const loader: Loader = path.endsWith('ts') ? 'ts' : 'js';
      try {
        const { code } = await transform(text, {
          loader,
          sourcefile: path,
          sourcemap: 'inline',
          define: {
            'import.meta.url': JSON.stringify(pathToFileURL(path).href),
            'import.meta.filename': JSON.stringify(path),
            'import.meta.dirname': JSON.stringify(dirname(path)),
          },
        });
        return { contents: code, loader: 'js' };
      } catch (thrown) {
        return { errors: (thrown as BuildFailure).errors };
      }
    });
  },
};

function bundleFailure(thrown: unknown): FreshetError {
  const [first, ...others] = (thrown as Partial<BuildFailure>).errors ?? [];
  if (first === undefined) {
    const what = thrown instanceof Error ? thrown.message : String(thrown);
    return new FreshetError('DEFINITION_LOAD_FAILED', what, { cause: thrown });
  }
  const text = first.text.replace('"package:freshet"', '"freshet"');
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const advice = first.notes.find(({ text }) => text.startsWith('Did you mean'))?.text;
  return new FreshetError('DEFINITION_LOAD_FAILED', `${text}${more}`, {
    cause: thrown,
    ...(first.location && { where: { file: first.location.file, line: first.location.line } }),
    ...(advice !== undefined && { next: advice }),
  });
}

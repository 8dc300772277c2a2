import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { FreshetError } from '../errors.ts';

/** One file of the web console, as a browser gets it. */
export interface ConsoleFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** What the licences of the libraries inside ask to be said. */
const BANNER =
  '/*! With Preact, (c) Jason Miller, and uPlot, (c) Leon Sorokin, both under the MIT licence. */';

/**
 * Makes the console of its sources: `index.html`, `app.js` and `app.css`, which ask no other server
 * for anything.
 * @throws FreshetError SERVER_FAILED
 */
export async function bundleConsole(sourceDirectory: string): Promise<ConsoleFile[]> {
  try {
    const { outputFiles } = await build({
      entryPoints: { app: join(sourceDirectory, 'main.tsx') },
      outdir: sourceDirectory,
      write: false,
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      jsx: 'automatic',
      jsxImportSource: 'preact',
      banner: { js: BANNER },
      legalComments: 'none',
      logLevel: 'silent',
    });
    const page = await readFile(join(sourceDirectory, 'index.html'));
    return [
      { name: 'index.html', contents: page },
      ...outputFiles.map(({ path, contents }) => ({ name: basename(path), contents })),
    ];
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new FreshetError('SERVER_FAILED', `the console cannot be made: ${what}`, { cause });
  }
}

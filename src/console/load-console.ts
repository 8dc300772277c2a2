import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleConsole, type ConsoleFile } from './bundle-console.ts';

/** Beside the build this folder has what `npm run build` made; beside the sources, the sources. */
const DIRECTORY = fileURLToPath(new URL('../../console/', import.meta.url));
const BUILT = ['index.html', 'app.js', 'app.css'];

/**
 * The files of the web console: those of the build, or made anew of their sources.
 * @throws FreshetError SERVER_FAILED
 */
export async function loadConsole(directory = DIRECTORY): Promise<ConsoleFile[]> {
  const built = await Promise.all(
    BUILT.map(async (name): Promise<ConsoleFile | null> => {
      const contents = await readFile(`${directory}${name}`).catch(() => null);
      return contents === null ? null : { name, contents };
    }),
  );
  const files = built.filter((file) => file !== null);
  return files.length === BUILT.length ? files : bundleConsole(directory);
}

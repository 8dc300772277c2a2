/** Makes the web console of its sources, for the build: `dist/console`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleConsole } from '../src/console/index.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'dist/console');

await mkdir(OUT, { recursive: true });
for (const { name, contents } of await bundleConsole(join(ROOT, 'console'))) {
  await writeFile(join(OUT, name), contents);
}

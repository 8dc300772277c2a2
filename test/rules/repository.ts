import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the repository, without a slash at its end. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface TextFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const SKIPPED = /^(node_modules|dist|coverage|data|\.git|\.freshet)$/;

/** Files below a folder whose path matches; none where there is no such folder. */
export async function readFiles(folder: string, wanted: RegExp): Promise<TextFile[]> {
  const files: TextFile[] = [];
  const entries = await readdir(join(ROOT, folder), { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!SKIPPED.test(entry.name)) files.push(...(await readFiles(path, wanted)));
    } else if (wanted.test(path)) files.push({ path, text: await read(path) });
  }
  return files;
}

/** The code of `src`, `connectors` and `console`. */
export async function readProduct(): Promise<TextFile[]> {
  const folders = ['src', 'connectors', 'console'];
  return (await Promise.all(folders.map((folder) => readFiles(folder, /\.tsx?$/)))).flat();
}

export function read(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8');
}

export async function exists(path: string): Promise<boolean> {
  return access(join(ROOT, path)).then(
    () => true,
    () => false,
  );
}

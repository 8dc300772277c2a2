/**
 * Copies the grammar at the head of each file that owns a format into `docs/formats.md`:
 * `npm run docs`. The code is the origin; a test keeps the two equal.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const DOCUMENT = fileURLToPath(new URL('../docs/formats.md', import.meta.url));

/** A link to a source file, alone on its line, and the block behind it that holds its grammar. */
const BLOCK = /^\[`([^`]+\.ts)`\]\([^)]+\)\n\n```text\n[\s\S]*?```$/gm;

/** The document with every grammar as its file has it. */
export async function renderFormats(
  document: string,
  sourceOf: (path: string) => Promise<string>,
): Promise<string> {
  const grammars = new Map<string, string>();
  for (const path of documentedFiles(document)) {
    grammars.set(path, grammarOf(await sourceOf(path)) ?? '');
  }
  return document.replace(BLOCK, (_, path: string) => {
    return `[\`${path}\`](../${path})\n\n\`\`\`text\n${grammars.get(path)}\n\`\`\``;
  });
}

/** Files whose grammar the document shows. */
export function documentedFiles(document: string): string[] {
  return [...document.matchAll(BLOCK)].map((match) => match[1] as string);
}

/** All fenced blocks of the comment at the head of a file; null when it has none. */
export function grammarOf(source: string): string | null {
  const comment = /^\/\*\*[\s\S]*?\*\//.exec(source)?.[0] ?? '';
  const text = comment.replace(/^ ?\* ?/gm, '').replace(/\*\/$/, '');
  const blocks = [...text.matchAll(/^```\n([\s\S]*?)\n```$/gm)].map((match) => match[1]);
  return blocks.length === 0 ? null : blocks.join('\n\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const read = (path: string): Promise<string> =>
    readFile(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');
  await writeFile(DOCUMENT, await renderFormats(await readFile(DOCUMENT, 'utf8'), read));
}

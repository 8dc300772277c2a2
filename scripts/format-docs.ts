/**
 * Copies what the code says into the documents, `npm run docs`: the grammar at the head of each file
 * that owns a format into `docs/formats.md`, the help of each command into
 * `docs/reference/commands.md`, the schema of the settings into `docs/reference/settings.md`. The code
 * is the origin; tests keep them equal.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { buildProgram } from '../src/cli/program.ts';
import { renderSettings } from './settings-docs.ts';

const DOCUMENT = fileURLToPath(new URL('../docs/formats.md', import.meta.url));
const COMMANDS = fileURLToPath(new URL('../docs/reference/commands.md', import.meta.url));
const SETTINGS = fileURLToPath(new URL('../docs/reference/settings.md', import.meta.url));
const HELP_WIDTH = 90;

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

/** The reference of the command, from its own help. */
export function renderCommands(): string {
  const program = buildProgram({
    makeOutput: () => {
      throw new Error('nothing is run');
    },
    signal: new AbortController().signal,
    writeOut: () => {},
    writeErr: () => {},
    helpWidth: HELP_WIDTH,
  });
  const sections = commandsBelow(program, []).map(([name, command]) => {
    const help = command.helpInformation().trimEnd();
    const text = help.replace(/\n\nGlobal Options:[\s\S]*$/, '');
    return `## ${name}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
  });
  const head =
    '# Commands\n\nWhat `freshet --help` and `freshet <command> --help` print, examples apart. ' +
    'Made by `npm run docs`.\n';
  return [head, ...sections].join('\n');
}

function commandsBelow(command: Command, path: readonly string[]): [string, Command][] {
  const name = ['freshet', ...path].join(' ');
  const below = command.commands.flatMap((one) => commandsBelow(one, [...path, one.name()]));
  return [[name, command], ...below];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const read = (path: string): Promise<string> =>
    readFile(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');
  await writeFile(DOCUMENT, await renderFormats(await readFile(DOCUMENT, 'utf8'), read));
  await writeFile(COMMANDS, renderCommands());
  await writeFile(SETTINGS, renderSettings());
}

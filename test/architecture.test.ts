import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  type Architecture,
  checkArchitecture,
  circularFolders,
  unplacedModules,
} from './rules/architecture-rules.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

describe('the architecture', async () => {
  const architecture: Architecture = JSON.parse(
    await readFile(join(ROOT, 'architecture.json'), 'utf8'),
  );
  const checked = checkArchitecture(architecture, ROOT);

  it('imports only what architecture.json allows', async () => {
    const { violations } = await checked;
    expect(violations.map(({ rule, from, to }) => `${rule}: ${from} -> ${to}`)).toEqual([]);
  });

  it('was checked on all modules', async () => {
    const { modules } = await checked;
    const files = [...(await sourceFiles('src')), ...(await sourceFiles('connectors'))];
    expect(modules.toSorted()).toEqual(files.toSorted());
    expect(modules.length).toBeGreaterThanOrEqual(architecture.modulesMin);
  });

  it('places every module in a folder of the table', async () => {
    expect(unplacedModules(architecture, (await checked).modules)).toEqual([]);
  });

  it('names no folder that is not there', async () => {
    const { modules } = await checked;
    const empty = Object.keys(architecture.folders).filter(
      (folder) => !modules.some((path) => path.startsWith(`${folder}/`)),
    );
    expect(empty).toEqual([]);
  });

  it('has no circle in the table itself', () => {
    expect(circularFolders(architecture)).toEqual([]);
  });
});

async function sourceFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { recursive: true });
  return entries.filter((path) => path.endsWith('.ts')).map((path) => `${folder}/${path}`);
}

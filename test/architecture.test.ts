import { describe, expect, it } from 'vitest';
import {
  type Architecture,
  checkArchitecture,
  circularFolders,
  unplacedModules,
} from './rules/architecture-rules.ts';
import { ROOT, read, readProduct } from './rules/repository.ts';

describe('the architecture', async () => {
  const architecture: Architecture = JSON.parse(await read('architecture.json'));
  const checked = checkArchitecture(architecture, ROOT);

  it('imports only what architecture.json allows', async () => {
    const { violations } = await checked;
    expect(violations.map(({ rule, from, to }) => `${rule}: ${from} -> ${to}`)).toEqual([]);
  });

  it('was checked on all modules', async () => {
    const { modules } = await checked;
    const files = (await readProduct()).map(({ path }) => path);
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

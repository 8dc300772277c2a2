import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConsole } from '../../src/console/index.ts';
import { failure } from '../feature-store/support.ts';

describe('the files of the console', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-console-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('are made of their sources, and ask no other server for anything', async () => {
    const files = await loadConsole();
    expect(files.map(({ name }) => name).toSorted()).toEqual(['app.css', 'app.js', 'index.html']);
    for (const { name, contents } of files) {
      const text = Buffer.from(contents).toString();
      expect(text.length, name).toBeGreaterThan(100);
      expect(text, name).not.toMatch(/(src|href)="(https?:)?\/\/|@import|url\(["']?https?:/);
    }
  });

  it('are those of the build where there is one', async () => {
    for (const name of ['index.html', 'app.js', 'app.css']) {
      await writeFile(join(directory, name), name);
    }
    const files = await loadConsole(`${directory}/`);
    expect(files.map(({ contents }) => Buffer.from(contents).toString())).toEqual(
      files.map(({ name }) => name),
    );
  });

  it('are missed with a reason', async () => {
    const { code, message } = await failure(() => loadConsole(`${directory}/nowhere/`));
    expect([code, message]).toEqual([
      'SERVER_FAILED',
      expect.stringContaining('the console cannot be made'),
    ]);
  });
});

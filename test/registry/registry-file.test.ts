import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { definitionRecord } from '../../src/definition/index.ts';
import { RegistryFile, type RegistryState } from '../../src/registry/index.ts';
import { ending, output, startUpdating } from './child.ts';
import { NOW_MS, useFolder, user } from './support.ts';

const newFolder = useFolder();
const addTopic =
  (topic: string) =>
  (state: RegistryState): RegistryState => ({ ...state, topics: [...state.topics, topic] });

function place(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

describe('a registry', () => {
  it('is empty where there is none, and reading makes none', async () => {
    const { registry, path } = newFolder();
    expect(await registry().read()).toEqual({
      format: 1,
      project: 'shop',
      revision: 0,
      updatedAtMs: 0,
      definitions: [],
      views: {},
      handovers: {},
      topics: [],
      subjects: [],
    });
    expect(readdirSync(path)).toEqual([]);
  });

  it('gives back what was written, by another object too', async () => {
    const { registry } = newFolder();
    const definitions = [definitionRecord(user)];
    const written = await registry().update((state) => ({ ...state, definitions }));
    expect(written).toMatchObject({ definitions, revision: 1, updatedAtMs: NOW_MS });
    expect(await registry().read()).toEqual(written);
  });

  it('that was written before there were handovers has none', async () => {
    const { registry, file } = newFolder();
    const { handovers, ...older } = await registry().update(addTopic('a'));
    place(file, JSON.stringify(older));
    expect((await registry().read()).handovers).toEqual(handovers);
  });

  it('is not written when a change gives the same object back', async () => {
    const { registry, path } = newFolder();
    await registry().update((state) => state);
    expect(readdirSync(join(path, '.freshet'))).toEqual([]);
  });

  it('is not written when a change fails, and can be changed then', async () => {
    const { registry } = newFolder();
    const one = registry();
    const failing = one.update(() => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect((await one.update(addTopic('a'))).revision).toBe(1);
  });

  it('leaves no other file behind', async () => {
    const { registry, path } = newFolder();
    await registry().update(addTopic('a'));
    expect(readdirSync(join(path, '.freshet'))).toEqual(['registry.json']);
  });

  it('is removed only when what it records is undone', async () => {
    const { registry, file } = newFolder();
    await registry().update(addTopic('a'));
    const failing = registry().remove(async () => {
      throw new Error('still there');
    });
    await expect(failing).rejects.toThrow('still there');
    expect(existsSync(file)).toBe(true);
    const removed = await registry().remove(async ({ topics }) => {
      expect(topics).toEqual(['a']);
    });
    expect(removed.topics).toEqual(['a']);
    expect(existsSync(file)).toBe(false);
  });

  it('refuses a file of a newer format, to read and to change', async () => {
    const { registry, file } = newFolder();
    place(file, '{ "format": 2, "news": [] }');
    const newer = { code: 'REGISTRY_VERSION', where: { file } };
    await expect(registry().read()).rejects.toMatchObject(newer);
    await expect(registry().update(addTopic('a'))).rejects.toMatchObject(newer);
    expect(readFileSync(file, 'utf8')).toContain('news');
  });

  it.each([
    ['is empty', '', 'is not JSON'],
    ['is cut short', '{ "format": 1, "pro', 'is not JSON'],
    ['is no object', '[]', 'is not a registry'],
    ['lacks what it must have', '{ "format": 1 }', 'project'],
    ['has something of another type', JSON.stringify({ format: 1, project: 1 }), 'project'],
  ])('refuses a file that %s', async (_, text, message) => {
    const { registry, file } = newFolder();
    place(file, text);
    const corrupt = { code: 'REGISTRY_CORRUPT', where: { file } };
    await expect(registry().read()).rejects.toMatchObject(corrupt);
    await expect(registry().read()).rejects.toThrow(message);
    await expect(registry().update(addTopic('a'))).rejects.toMatchObject(corrupt);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('refuses that of another project, whose definitions a change would delete', async () => {
    const { registry, file } = newFolder();
    await registry().update(addTopic('a'));
    const clock = { nowMs: () => NOW_MS };
    const other = new RegistryFile({ path: file, project: 'other', clock });
    const refusal = { code: 'CONFIG_INVALID', message: expect.stringContaining('"shop"') };
    await expect(other.read()).rejects.toMatchObject(refusal);
    await expect(other.update(addTopic('b'))).rejects.toMatchObject(refusal);
    expect((await registry().read()).topics).toEqual(['a']);
  });

  it('says when it cannot be where it should', async () => {
    const { registry, path, file } = newFolder();
    writeFileSync(join(path, '.freshet'), 'a file, no folder');
    await expect(registry().update(addTopic('a'))).rejects.toMatchObject({
      code: 'DISK_FAILED',
      where: { file },
    });
  });
});

describe('changes at once', () => {
  it('of one object follow each other in their order', async () => {
    const { registry } = newFolder();
    const one = registry();
    const names = Array.from({ length: 20 }, (_, i) => `t${i}`);
    await Promise.all(names.map((name) => one.update(addTopic(name))));
    expect(await one.read()).toMatchObject({ topics: names, revision: 20 });
  });

  it('of several objects in one process lose nothing', async () => {
    const { registry } = newFolder();
    const names = Array.from({ length: 20 }, (_, i) => `t${i}`);
    await Promise.all(names.map((name) => registry().update(addTopic(name))));
    const { topics } = await registry().read();
    expect(new Set(topics)).toEqual(new Set(names));
    expect(topics).toHaveLength(20);
  });

  it('of several processes lose nothing', async () => {
    const { registry, file } = newFolder();
    const names = ['a', 'b', 'c'];
    const children = names.map((name) => startUpdating(file, 'add', name, '12'));
    expect(await Promise.all(children.map(ending))).toEqual([0, 0, 0]);
    const { topics, revision } = await registry().read();
    expect(revision).toBe(36);
    for (const name of names) {
      expect(topics.filter((topic) => topic.startsWith(name))).toEqual(
        Array.from({ length: 12 }, (_, i) => `${name}-${i}`),
      );
    }
  });
});

describe('a process that is killed', () => {
  it('while it holds the lock keeps others out until then, and not longer', async () => {
    const { registry, file } = newFolder();
    const child = startUpdating(file, 'hold');
    expect(await output(child)).toBe('held\n');
    await expect(registry(0).update(addTopic('a'))).rejects.toMatchObject({
      code: 'REGISTRY_LOCKED',
      message: `process ${child.pid} is changing it`,
      retriable: true,
    });
    expect((await registry().read()).topics).toEqual([]);
    child.kill('SIGKILL');
    expect(await ending(child)).toBe('SIGKILL');
    expect((await registry(0).update(addTopic('a'))).topics).toEqual(['a']);
    expect(readdirSync(dirname(file))).toEqual(['registry.json']);
  });

  it('while it writes leaves the registry whole, as it was before or after', async () => {
    const { registry, file } = newFolder();
    for (let round = 0; round < 3; round++) {
      const child = startUpdating(file, 'write');
      await output(child);
      child.kill('SIGKILL');
      await ending(child);
      const { topics } = await registry().read();
      expect(topics).toHaveLength(20_000);
      expect(new Set(topics.map((topic) => topic.split('-')[1])).size).toBe(1);
    }
    await registry(0).update(addTopic('a'));
    expect(existsSync(`${file}.tmp`) || existsSync(`${file}.lock`)).toBe(false);
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedSchemaRegistry } from '../../connectors/schema-registry/index.ts';
import { schemaRegistryContract } from '../contract/schema-registry.ts';

schemaRegistryContract('the embedded registry', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-registry-'));
  const registry = await openEmbeddedSchemaRegistry({ path: join(folder, 'log', 'schemas.json') });
  const close = async (): Promise<void> => {
    await registry.close();
    await rm(folder, { recursive: true });
  };
  return { registry, prefix: '', close };
});

describe('the embedded schema registry', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-registry-'));
    path = join(folder, 'schemas.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('keeps ids, versions and levels over a restart, and never gives an id twice', async () => {
    const first = await openEmbeddedSchemaRegistry({ path });
    expect(await first.register('a', '"string"')).toBe(1);
    expect(await first.register('b', '"int"')).toBe(2);
    await first.setCompatibility('FULL', 'b');
    await first.deleteSubject('b');
    await first.close();

    const second = await openEmbeddedSchemaRegistry({ path });
    expect(second.subjects()).toEqual(['a']);
    expect(second.compatibilityOf('b')).toBe('FULL');
    expect(await second.schemaById(2)).toBe('"int"');
    expect(await second.register('c', '"long"')).toBe(3);
    expect(await second.register('c', '{"type": "long"}')).toBe(4);
  });

  it('knows a schema again whatever its spacing and the order of its attributes', async () => {
    const registry = await openEmbeddedSchemaRegistry({ path });
    const id = await registry.register('a', '{"type":"array","items":"int"}');
    expect(await registry.register('a', '{ "items": "int", "type": "array" }')).toBe(id);
  });

  it('writes nothing for a schema that it has', async () => {
    const registry = await openEmbeddedSchemaRegistry({ path });
    await registry.register('a', '"int"');
    await writeFile(path, 'not touched');
    await registry.register('a', '"int"');
    expect(await readFile(path, 'utf8')).toBe('not touched');
  });

  it('follows the level of the subject', async () => {
    const registry = await openEmbeddedSchemaRegistry({ path });
    await registry.register('a', '"int"');
    expect(await registry.incompatibilities('a', '"long"')).toEqual([]);
    await registry.setCompatibility('FORWARD', 'a');
    expect(await registry.incompatibilities('a', '"long"')).not.toEqual([]);
    await registry.setCompatibility('NONE');
    expect(await registry.incompatibilities('a', '"long"')).not.toEqual([]);
    await registry.setCompatibility('NONE', 'a');
    expect(await registry.incompatibilities('a', '"string"')).toEqual([]);
  });

  it('compares with all versions only where the level is transitive', async () => {
    const registry = await openEmbeddedSchemaRegistry({ path });
    await registry.setCompatibility('NONE', 'a');
    await registry.register('a', '"string"');
    await registry.register('a', '"int"');
    await registry.setCompatibility('BACKWARD', 'a');
    expect(await registry.incompatibilities('a', '"long"')).toEqual([]);
    await registry.setCompatibility('BACKWARD_TRANSITIVE', 'a');
    expect(await registry.incompatibilities('a', '"long"')).not.toEqual([]);
  });

  it('refuses changes once it is closed', async () => {
    const registry = await openEmbeddedSchemaRegistry({ path });
    await registry.close();
    await expect(registry.register('a', '"int"')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });

  it('does not begin anew over a file that it cannot read', async () => {
    await writeFile(path, '{"format":');
    await expect(openEmbeddedSchemaRegistry({ path })).rejects.toMatchObject({
      code: 'REGISTRY_CORRUPT',
    });
    await writeFile(path, '{"format":"freshet-schema-registry","version":2}');
    await expect(openEmbeddedSchemaRegistry({ path })).rejects.toMatchObject({
      code: 'REGISTRY_VERSION',
    });
  });

  it('takes a subject named as a member of every object', async () => {
    const registry = await openEmbeddedSchemaRegistry({ path });
    expect(registry.versions('constructor')).toEqual([]);
    expect(await registry.register('constructor', '"int"')).toBe(1);
    expect(registry.subjects()).toEqual(['constructor']);
  });
});

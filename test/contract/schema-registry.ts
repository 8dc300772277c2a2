import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SchemaRegistry } from '../../src/codec/index.ts';

export interface OpenedRegistry {
  readonly registry: SchemaRegistry;
  /** Subjects of this run begin with it: a shared registry may hold others. */
  readonly prefix: string;
  close(): Promise<void>;
}

const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });

function schemaOf(...fields: object[]): string {
  return JSON.stringify({ type: 'record', name: 'Row', namespace: 'freshet', fields });
}

const FIRST = schemaOf(field('a', 'long'));
const WIDER = schemaOf(field('a', 'long'), field('b', ['null', 'string'], { default: null }));
const OTHER = schemaOf(field('a', 'string'));

/** What every schema registry behind the port must do. */
export function schemaRegistryContract(name: string, open: () => Promise<OpenedRegistry>): void {
  describe(`${name} as a schema registry`, () => {
    let opened: OpenedRegistry;
    let registry: SchemaRegistry;
    beforeAll(async () => {
      opened = await open();
      registry = opened.registry;
    });
    afterAll(() => opened.close());
    const subject = (text: string): string => `${opened.prefix}${text}`;

    it('answers null for what it does not know', async () => {
      expect(await registry.schemaById(2_000_000_000)).toBeNull();
      expect(await registry.latest(subject('nobody'))).toBeNull();
      expect(await registry.incompatibilities(subject('nobody'), FIRST)).toEqual([]);
    });

    it('gives a schema one id, however often and wherever it is registered', async () => {
      const id = await registry.register(subject('one'), FIRST);
      expect(await registry.register(subject('one'), FIRST)).toBe(id);
      expect(await registry.register(subject('two'), FIRST)).toBe(id);
      expect(JSON.parse((await registry.schemaById(id)) as string)).toEqual(JSON.parse(FIRST));
    });

    it('keeps the versions of a subject apart and answers the latest', async () => {
      const first = await registry.register(subject('versions'), FIRST);
      const second = await registry.register(subject('versions'), WIDER);
      expect(second).not.toBe(first);
      const latest = await registry.latest(subject('versions'));
      expect(latest).toMatchObject({ id: second, version: 2 });
      expect(JSON.parse(latest!.schema)).toEqual(JSON.parse(WIDER));
    });

    it('says why a schema cannot follow, and refuses to register it', async () => {
      await registry.register(subject('strict'), FIRST);
      expect(await registry.incompatibilities(subject('strict'), WIDER)).toEqual([]);
      expect(await registry.incompatibilities(subject('strict'), OTHER)).not.toEqual([]);
      await expect(registry.register(subject('strict'), OTHER)).rejects.toMatchObject({
        code: 'SCHEMA_REGISTRY_REFUSED',
      });
      expect((await registry.latest(subject('strict')))?.version).toBe(1);
    });

    it('refuses what is not a schema', async () => {
      await expect(registry.register(subject('bad'), '{"type":"recrod"}')).rejects.toMatchObject({
        code: 'SCHEMA_REGISTRY_REFUSED',
      });
    });

    it('forgets a deleted subject and still reads its rows', async () => {
      const id = await registry.register(subject('gone'), WIDER);
      await registry.deleteSubject(subject('gone'));
      await registry.deleteSubject(subject('gone'));
      expect(await registry.latest(subject('gone'))).toBeNull();
      expect(await registry.schemaById(id)).not.toBeNull();
    });

    it('takes subjects with characters that an address must escape', async () => {
      const id = await registry.register(subject('a b/c?%-value'), FIRST);
      expect((await registry.latest(subject('a b/c?%-value')))?.id).toBe(id);
    });

    it('gives one id when several ask at once', async () => {
      const schema = schemaOf(field('many', 'int'));
      const asked = Array.from({ length: 5 }, () => registry.register(subject('many'), schema));
      expect(new Set(await Promise.all(asked)).size).toBe(1);
      expect((await registry.latest(subject('many')))?.version).toBe(1);
    });
  });
}

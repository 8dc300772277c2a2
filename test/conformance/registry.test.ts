/**
 * What Feast's tests assert of its registry, restated as data (`cases/README.md`): `given` is
 * applied, `action` is done, `expected` follows. An action or an expectation that the runner does
 * not know fails; a case that Freshet answers differently on purpose is in `differences.ts`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FreshetError } from '../../src/errors.ts';
import { differences } from './differences.ts';
import { perform, type RegistryCase } from './registry-actions.ts';

const folder = process.env['FRESHET_CASES'] ?? fileURLToPath(new URL('./cases', import.meta.url));
const file = join(folder, 'feast-cases-registry.json');
const cases: RegistryCase[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];

/** What only says where a case comes from. */
const REMARKS = new Set(['feast_error']);

describe.skipIf(cases.length === 0)('Feast registry cases', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-registry-case-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  for (const registryCase of cases) {
    const difference = differences[registryCase.id];
    if (difference !== undefined) {
      it.skip(`${registryCase.id}: ${difference}`);
      continue;
    }
    it(registryCase.id, async () => {
      const { error, message_contains, ...expected } = registryCase.expected;
      const attempt = perform(registryCase, directory);
      if (error !== undefined) {
        const thrown = await attempt.then(
          (result) => new Error(`it did not fail, it gave ${JSON.stringify(result)}`),
          (reason: unknown) => reason,
        );
        if (!(thrown instanceof FreshetError)) throw thrown;
        expect(thrown.code).toBe(error);
        for (const text of message_contains ?? []) expect(thrown.message).toContain(text);
        requireKnown(expected, {});
        return;
      }
      const result = await attempt;
      requireKnown(expected, result);
      for (const [name, want] of Object.entries(expected)) {
        expectPart(result[name], want, name);
      }
    });
  }
});

function requireKnown(expected: object, result: object): void {
  const unknown = Object.keys(expected).filter((name) => !(name in result) && !REMARKS.has(name));
  if (unknown.length > 0) throw new Error(`unknown expectations: ${unknown.join(', ')}`);
}

/** Lists have as many members in any order, objects may have more than a case asks for. */
function expectPart(got: unknown, want: unknown, name: string): void {
  if (REMARKS.has(name)) return;
  if (name.endsWith('_contains')) {
    for (const text of want as string[]) expect(got, name).toContain(text);
  } else if (Array.isArray(want)) {
    expect(got, name).toHaveLength(want.length);
    for (const member of want) {
      const part = typeof member === 'object' && !Array.isArray(member);
      expect(got, name).toContainEqual(part ? expect.objectContaining(member) : member);
    }
  } else expect(got, name).toEqual(want);
}

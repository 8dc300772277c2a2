/**
 * The file of the embedded schema registry, JSON:
 *
 *   format         "freshet-schema-registry"
 *   version        1
 *   schemas        schema text by id; ids begin at 1 and are never given twice
 *   subjects       by subject, ids in the order of the versions 1, 2, 3, …
 *   compatibility  the level of all subjects, and of some by name
 *
 * It is written beside itself, synced and renamed, so that it is always whole.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FreshetError } from '../../src/errors.ts';
import type { CompatibilityLevel } from './compatibility.ts';

export interface RegistryState {
  readonly schemas: Readonly<Record<string, string>>;
  readonly subjects: Readonly<Record<string, readonly number[]>>;
  readonly compatibility: {
    readonly all: CompatibilityLevel;
    readonly subjects: Readonly<Record<string, CompatibilityLevel>>;
  };
}

const FORMAT = 'freshet-schema-registry';
const VERSION = 1;

const EMPTY: RegistryState = {
  schemas: {},
  subjects: {},
  compatibility: { all: 'BACKWARD', subjects: {} },
};

/** @throws FreshetError REGISTRY_CORRUPT, REGISTRY_VERSION */
export async function readRegistryFile(path: string): Promise<RegistryState> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw thrown;
  }
  const file = parse(text, path);
  if (file.format !== FORMAT) throw corrupt(path, `it is not a ${FORMAT} file`);
  if (file.version !== VERSION) {
    throw new FreshetError('REGISTRY_VERSION', `schema registry of version ${file.version}`, {
      where: { file: path },
    });
  }
  const { schemas, subjects, compatibility } = file;
  return { schemas, subjects, compatibility };
}

export async function writeRegistryFile(path: string, state: RegistryState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.tmp`;
  const file = await open(beside, 'w');
  try {
    await file.writeFile(JSON.stringify({ format: FORMAT, version: VERSION, ...state }, null, 2));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no handle of a folder to sync; its file system journals names by itself.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function parse(text: string, path: string): RegistryState & { format: unknown; version: unknown } {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw corrupt(path, thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function corrupt(path: string, what: string): FreshetError {
  return new FreshetError('REGISTRY_CORRUPT', `the schema registry cannot be read: ${what}`, {
    where: { file: path },
    next: 'Restore the file from a backup: rows in the log name its ids.',
  });
}

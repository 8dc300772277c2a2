import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Definition } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { bundleDefinitions } from './bundle-definitions.ts';
import { importFailure } from './definition-failure.ts';
import { findDefinitionFiles } from './definition-files.ts';

export interface LoadRepositoryOptions {
  /** What `import … from 'freshet'` gives in definition files. Default: this package as it runs. */
  readonly freshet?: Readonly<Record<string, unknown>>;
}

/** This package: the TypeScript file when it runs from its sources, otherwise what the build made. */
const OWN_INDEX = new URL(
  import.meta.url.endsWith('.ts') ? '../index.ts' : '../index.js',
  import.meta.url,
);

const KINDS: Readonly<Record<Definition['kind'], true>> = {
  entity: true,
  topicSource: true,
  parquetSource: true,
  requestSource: true,
  featureView: true,
  onDemandFeatureView: true,
  featureService: true,
};

let loads = 0;

/**
 * The definitions that a feature repository exports, one by one or in arrays, each once. They are
 * read from `features.ts` and from every file of the folder `features/`, and whatever these import;
 * `freshet` needs no installation there. Each call reads the files anew. Types are not checked.
 * @throws FreshetError DEFINITION_LOAD_FAILED with file and line; the code of a definition that is
 *   refused, with file and line added
 */
export async function loadRepository(
  repoDir: string,
  options: LoadRepositoryOptions = {},
): Promise<readonly Definition[]> {
  const files = await findDefinitionFiles(repoDir);
  // A name that is worked out, because the package imports this file: definition files, unlike the
  // modules of the package, see all of it.
  const freshet = options.freshet ?? ((await import(OWN_INDEX.href)) as Record<string, unknown>);
  const modules = await runFiles(await realpath(repoDir), files, freshet);
  const definitions = new Set(modules.flatMap(Object.values).flat().filter(isDefinition));
  if (definitions.size > 0) return [...definitions];
  throw new FreshetError('DEFINITION_LOAD_FAILED', `${files.join(', ')}: no definition exported`, {
    next: 'Export every entity, source, view and service, for example `export const driver = entity(…)`.',
  });
}

/** The modules of the files, which get the very objects that this process runs with. */
async function runFiles(
  repoDir: string,
  files: readonly string[],
  freshet: Readonly<Record<string, unknown>>,
): Promise<object[]> {
  const names = Object.keys(freshet).filter((name) => name !== 'default');
  const key = `freshet.exports.${++loads}`;
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'freshet-definitions-'));
  const outFile = join(folder, 'definitions.mjs');
  try {
    const module = { names, key, index: fileURLToPath(OWN_INDEX) };
    await bundleDefinitions({ repoDir, files, freshet: module, outFile });
    Object.defineProperty(globalThis, Symbol.for(key), { value: freshet, configurable: true });
    return Object.values(await importBundle(outFile, repoDir));
  } finally {
    Reflect.deleteProperty(globalThis, Symbol.for(key));
    await rm(folder, { recursive: true, force: true });
  }
}

async function importBundle(file: string, repoDir: string): Promise<object> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (thrown) {
    throw await importFailure(thrown, { file, repoDir });
  }
}

function isDefinition(value: unknown): value is Definition {
  const kind = (value as { readonly kind?: unknown } | null | undefined)?.kind;
  return typeof kind === 'string' && Object.hasOwn(KINDS, kind);
}

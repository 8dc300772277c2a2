import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '../core/clock.ts';
import { didYouMean } from '../core/nearest.ts';
import { FreshetError } from '../errors.ts';
import { PROJECT_NAME } from './config-schema.ts';

export interface InitRepositoryOptions {
  /** A folder of `templates/`. Default `default`. */
  readonly template?: string;
  /** Default: the name of the folder, with other signs as `_`. */
  readonly project?: string;
  /** The sample rows are of the day before now. */
  readonly clock?: Clock;
}

/** Beside the sources, or above what the build made of them. */
const TEMPLATES = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../templates/' : '../../../templates/',
    import.meta.url,
  ),
);

/** npm does not publish a `.gitignore`. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: '.gitignore' };

/**
 * Makes a feature repository that runs, in a new folder or in one without files of these names.
 * Returns the paths of its files in the folder.
 * @throws FreshetError INVALID_ARGUMENT for files that are there already, an unknown template or a
 *   name that a project cannot have; DISK_FAILED
 */
export async function initRepository(
  dir: string,
  options: InitRepositoryOptions = {},
): Promise<string[]> {
  const { template = 'default', clock = systemClock } = options;
  const folder = resolve(dir);
  const project = requireProject(options.project ?? projectOf(folder));
  const texts = await readTemplate(template);
  const nowMs = clock.nowMs();
  try {
    await requireFree(folder, [...texts.keys()]);
    await mkdir(folder, { recursive: true });
    for (const [path, text] of texts) {
      await writeFile(join(folder, path), fill(text, project, nowMs), { flag: 'wx' });
    }
  } catch (thrown) {
    if (thrown instanceof FreshetError) throw thrown;
    throw new FreshetError('DISK_FAILED', `${folder} cannot be written`, { cause: thrown });
  }
  return [...texts.keys()];
}

async function readTemplate(template: string): Promise<Map<string, string>> {
  const known = await readdir(TEMPLATES);
  if (!known.includes(template)) {
    throw new FreshetError('INVALID_ARGUMENT', `there is no template "${template}"`, {
      next: didYouMean(template, known),
    });
  }
  const texts = new Map<string, string>();
  for (const name of (await readdir(join(TEMPLATES, template))).sort()) {
    texts.set(RENAMED[name] ?? name, await readFile(join(TEMPLATES, template, name), 'utf8'));
  }
  return texts;
}

async function requireFree(folder: string, paths: readonly string[]): Promise<void> {
  const there = new Set(await readdirOrNone(folder));
  const taken = paths.filter((path) => there.has(path));
  if (taken.length === 0) return;
  throw new FreshetError('INVALID_ARGUMENT', `${folder} already has ${taken.join(', ')}`, {
    where: { file: join(folder, taken[0] as string) },
    next: 'Name another folder, or move these files away; nothing was written.',
  });
}

async function readdirOrNone(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

function projectOf(folder: string): string {
  const name = basename(folder).replace(/[^A-Za-z0-9_-]/g, '_');
  return /^[A-Za-z]/.test(name) ? name.slice(0, 64) : 'features';
}

function requireProject(project: string): string {
  if (PROJECT_NAME.test(project)) return project;
  throw new FreshetError('INVALID_ARGUMENT', `a project cannot be named "${project}"`, {
    next: 'Name it with a letter, then letters, digits, _ and -, 64 at most.',
  });
}

/** `__project__`, and `__now-90s__` for the time 90 seconds ago. */
function fill(text: string, project: string, nowMs: number): string {
  return text
    .replaceAll('__project__', project)
    .replace(/__now-(\d+)s__/g, (_, s: string) =>
      new Date(nowMs - 1_000 * Number(s)).toISOString(),
    );
}

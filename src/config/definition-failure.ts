import { readFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FreshetError, toFreshetError } from '../errors.ts';

/**
 * What a definition file threw when its bundle was imported, with its file and line. A FreshetError
 * keeps its code and advice; anything else becomes DEFINITION_LOAD_FAILED with its message.
 */
export async function importFailure(
  thrown: unknown,
  bundle: { readonly file: string; readonly repoDir: string },
): Promise<FreshetError> {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const place = findPlace(stack, bundle.file, await readFile(`${bundle.file}.map`, 'utf8'));
  const { code, message, where, next } = toFreshetError(thrown, 'DEFINITION_LOAD_FAILED');
  return new FreshetError(code, message, {
    where: {
      ...(place && { file: relative(bundle.repoDir, place.path), line: place.line }),
      ...where,
    },
    cause: thrown,
    next,
  });
}

interface Place {
  readonly path: string;
  readonly line: number;
}

/** Of the frames of a stack, the innermost that lies in a definition file. */
function findPlace(stack: string, file: string, mapText: string): Place | null {
  const map = JSON.parse(mapText);
  const sourceMap = new SourceMap(map);
  const pathOf = (source: string): string => resolve(dirname(file), source);
  const sources = new Set<string>(map.sources.map(pathOf));
  for (const [, at = '', line, column] of stack.matchAll(/(?:\(|at )([^\s(]+):(\d+):(\d+)\)?$/gm)) {
    const path = at.startsWith('file:') ? fileURLToPath(at) : at;
    // Where Node runs with source maps, they have been applied already.
    if (sources.has(path)) return { path, line: Number(line) };
    if (path !== file) continue;
    const entry = sourceMap.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry)) continue;
    return { path: pathOf(entry.originalSource), line: entry.originalLine + 1 };
  }
  return null;
}

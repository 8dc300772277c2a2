/**
 * Which file of the product is tested where: `src/a/b.ts` in `test/a/b.test.ts`, and
 * `connectors/a/b.ts` in `test/a/b.test.ts` too.
 */

/** Shorter files are types, lists of exports and one-liners. */
const LINES_MIN = 60;

export interface Shared {
  readonly test: string;
  readonly covers: readonly string[];
  readonly because: string;
}

/** Files without a test of their own, by the test that covers them; a folder ends in a slash. */
export const sharedTests: readonly Shared[] = [
  {
    test: 'test/embedded/rocksdb-native.test.ts',
    covers: ['connectors/embedded/', 'src/log/log.ts'],
    because: 'the suite of all logs asks for what its parts do together',
  },
  {
    test: 'test/config/config.test.ts',
    covers: ['src/config/config-schema.ts', 'src/config/parse-config.ts'],
    because: 'a key is right when the text of a file with it is read right',
  },
  {
    test: 'test/e2e/cli.test.ts',
    covers: ['src/cli/commands/', 'src/cli/context.ts'],
    because: 'a command is right when what it leaves behind is what the next one finds',
  },
  {
    test: 'test/join/historical-reader.test.ts',
    covers: [
      'src/join/entity-rows.ts',
      'src/join/historical-job.ts',
      'src/join/historical-request.ts',
      'src/join/output.ts',
    ],
    because: 'they are steps of one request, which has no result before its last step',
  },
  {
    test: 'test/join/join-sql.test.ts',
    covers: ['src/join/row-relation.ts'],
    because: 'SQL is right when its answer is, and only whole statements have one',
  },
  {
    test: 'test/producer/read-rows.test.ts',
    covers: [
      'src/producer/produce-rows.ts',
      'src/producer/read-lines.ts',
      'src/producer/read-table.ts',
    ],
    because: 'a file is read right when the rows in it are produced, whatever its format',
  },
];

/** The test that a file must have; null for files that need none. */
function mirrored(path: string, text: string): string | null {
  const match = /^(?:src|connectors)\/(.+)\.ts$/.exec(path);
  if (match === null || path.endsWith('/index.ts') || path.endsWith('.d.ts')) return null;
  if (text.split('\n').length <= LINES_MIN || isTypesAlone(text)) return null;
  return `test/${match[1]}.test.ts`;
}

/** What is wrong with the tests of the product, given the files there are. */
export function mirrorFaults(
  files: readonly { readonly path: string; readonly text: string }[],
  shared: readonly Shared[],
): string[] {
  const paths = new Set(files.map(({ path }) => path));
  const faults: string[] = [];
  for (const { test, covers } of shared) {
    if (!paths.has(test)) faults.push(`${test} is gone: mend the list`);
    for (const place of covers) {
      if (!files.some(({ path }) => isIn(path, place)))
        faults.push(`${place} is gone: mend the list`);
    }
  }
  for (const { path, text } of files) {
    const own = mirrored(path, text);
    const named = shared.some(({ covers }) => covers.includes(path));
    const covered = shared.some(({ covers }) => covers.some((place) => isIn(path, place)));
    if (own === null ? named : named && paths.has(own)) {
      faults.push(`${path} needs no place in the list`);
    } else if (own !== null && !covered && !paths.has(own)) faults.push(`${path} has no ${own}`);
  }
  return faults;
}

function isIn(path: string, place: string): boolean {
  return place.endsWith('/') ? path.startsWith(place) : path === place;
}

/** A contract has a suite instead of a test, and types are tested by the compiler. */
function isTypesAlone(text: string): boolean {
  return !/^(export )?(async )?(function|(abstract )?class|const|let)\b/m.test(text);
}

import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mirrorFaults, sharedTests } from './rules/mirror.ts';
import { exists, readFiles } from './rules/repository.ts';
import {
  anchorsOf,
  type Ban,
  leftoversOf,
  machinePathsOf,
  relativeLinksOf,
  tidyFaults,
  titlesOf,
} from './rules/tidy-rules.ts';

/** Written by hand; the cases of conformance are data. */
const WRITTEN =
  /^(?!package-lock\.json|test\/conformance\/cases\/).*(\.(tsx?|css|html|js|mjs|jsonc?|md|ya?ml|avsc|svg|sh|txt)|\.ci\/run)$/;
/** A browser has a clock and timers of its own. */
const CONSOLE = 'console/';
const PROGRAMS = ['test/', 'examples/', 'benchmarks/', 'scripts/'];

const BANS: readonly Ban[] = [
  {
    what: 'the wall clock',
    mention: /^(Date\.now|new Date\(\)|process\.hrtime|performance\.now)/,
    places: ['src/core/clock.ts', 'src/cli/main.ts', CONSOLE, ...PROGRAMS],
  },
  {
    what: 'chance',
    mention: /^(Math\.random|(crypto\.)?random(UUID|Bytes|Int)\()/,
    // A test's chance comes from fast-check, which prints its seed.
    places: [],
  },
  {
    what: 'a timer',
    mention: /^((setTimeout|setInterval|setImmediate)\(|import (node:)?timers)/,
    places: [
      'src/pipeline/materializer.ts', // waits between attempts
      'src/log/poll-signal.ts', // ends the wait of a poll
      'src/registry/file-lock.ts', // waits for the holder
      'src/feature-store/maintain-history.ts', // waits until it looks again
      'src/feature-store/replay.ts', // reports progress
      'src/cli/commands/engine.ts', // reports progress
      'src/tracing/span-export.ts', // gives a collector up that is away
      'connectors/kafka/', // heartbeats, and waits between attempts
      'connectors/kafka-dev/child-service.ts', // asks a service whether it is ready
      CONSOLE, // asks again and again while it is looked at
      ...PROGRAMS,
    ],
  },
  {
    what: 'output',
    mention: /^(console\.|process\.(stdout|stderr)$)/,
    places: ['src/cli/', ...PROGRAMS],
  },
  {
    what: 'the end of the process',
    mention: /^process\.(exit|abort|exitCode)$/,
    places: ['src/cli/main.ts', ...PROGRAMS],
  },
  {
    what: 'a key of the manifest',
    mention: /^SPACE\.(segment|retired|revision)$/,
    places: ['src/segment/kv-manifest.ts', ...PROGRAMS],
  },
  {
    what: 'where the files of segments lie',
    mention: /^localFiles\(/,
    places: ['src/segment/local-files.ts', 'src/feature-store/resources.ts', ...PROGRAMS],
  },
  {
    what: 'the environment',
    mention: /^process\.env$/,
    places: ['src/config/', 'src/cli/', 'connectors/kafka-dev/', ...PROGRAMS],
  },
];

describe('every file', async () => {
  const files = await readFiles('', WRITTEN);
  const code = files.filter(({ path }) => /(?<!\.d)\.tsx?$/.test(path));
  const prose = files.filter(({ path }) => path.endsWith('.md'));

  it('was found', () => {
    expect(code.length).toBeGreaterThan(60);
    expect(prose.length).toBeGreaterThan(5);
  });

  it('of code is short, and says what has one place only in that place', () => {
    expect(code.flatMap((file) => tidyFaults(file, BANS))).toEqual([]);
  });

  it('puts no work off', () => {
    const faults = files
      .filter(({ path }) => !path.startsWith('test/rules/'))
      .flatMap(({ path, text }) => leftoversOf(text).map((line) => `${path}: ${line.trim()}`));
    expect(faults).toEqual([]);
  });

  it('names no path of one machine', () => {
    const faults = files
      .filter(({ path }) => !path.startsWith('test/rules/'))
      .flatMap(({ path, text }) => machinePathsOf(text).map((found) => `${path}: ${found}`));
    expect(faults).toEqual([]);
  });

  it('of the product has a test of its own, or is named with the test that covers it', () => {
    expect(mirrorFaults(code, sharedTests)).toEqual([]);
  });

  it('of code names documents that are there', async () => {
    const faults: string[] = [];
    for (const { path, text } of files.filter(({ path }) => !path.endsWith('.md'))) {
      for (const [name] of text.matchAll(/\bdocs\/[\w./-]+\.(md|svg)\b/g)) {
        if (!(await exists(name))) faults.push(`${path}: ${name}`);
      }
    }
    expect(faults).toEqual([]);
  });

  it('of prose has one title', () => {
    const faults = prose
      .map(({ path, text }) => ({ path, titles: titlesOf(text) }))
      .filter(({ titles }) => titles.length !== 1);
    expect(faults).toEqual([]);
  });

  it('of prose links to what is there', async () => {
    const anchors = new Map(prose.map(({ path, text }) => [path, anchorsOf(text)]));
    const faults: string[] = [];
    for (const { path, text } of prose) {
      for (const link of relativeLinksOf(text)) {
        const [file = '', anchor] = link.split('#');
        const target = file === '' ? path : posix.join(posix.dirname(path), file);
        const known = anchor === undefined || anchors.get(target)?.includes(anchor);
        if (!(await exists(target)) || !known) faults.push(`${path}: ${link}`);
      }
    }
    expect(faults).toEqual([]);
  });
});

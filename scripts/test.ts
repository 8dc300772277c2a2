/**
 * `npm test`: all test runs one after the other, then the sum of their results alone on the last
 * line. Arguments name runs (`npm test -- unit fault`); without any, all of `DEFAULT_RUNS` run.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addCounts, countTests, formatCounts, type TestCounts } from './test-report.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');

/** Configuration of vitest by run. */
const RUNS: Readonly<Record<string, string>> = {
  unit: 'vitest.config.ts',
  conformance: 'vitest.conformance.config.ts',
  fault: 'vitest.fault.config.ts',
  e2e: 'vitest.e2e.config.ts',
  kafka: 'vitest.kafka.config.ts',
};
/** Kafka needs a broker, which takes time and memory: `npm run test:kafka`. */
const DEFAULT_RUNS = ['unit', 'conformance', 'fault', 'e2e'];

const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : DEFAULT_RUNS;
const folder = await mkdtemp(join(tmpdir(), 'freshet-test-'));
let total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
try {
  for (const name of names) {
    const counts = await run(name);
    console.log(`\n${name}: ${formatCounts(counts)}\n`);
    total = addCounts(total, counts);
  }
} finally {
  await rm(folder, { recursive: true });
}
console.log(formatCounts(total));
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

/** A run that ends badly without saying which test failed counts as one failure. */
async function run(name: string): Promise<TestCounts> {
  const config = RUNS[name];
  if (config === undefined) {
    console.error(`There is no run "${name}": ${Object.keys(RUNS).join(', ')}.`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const report = join(folder, `${name}.json`);
  const code = await execute([
    ...['run', '--config', config, '--passWithNoTests'],
    ...['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${report}`],
  ]);
  const counts = await readCounts(report);
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function execute(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [VITEST, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Vitest writes no report when it cannot start; the exit code tells that. */
async function readCounts(report: string): Promise<TestCounts> {
  const text = await readFile(report, 'utf8').catch(() => '{"testResults":[]}');
  return countTests(JSON.parse(text));
}

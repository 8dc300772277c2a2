/**
 * Our own figures: `npm run bench`, or `npm run bench -- engine join` for some. Each part is a
 * process of its own and prints its table, of compiled code, as users have it; docs/benchmarks.md keeps a run with its machine.
 */
import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const PARTS = ['engine', 'windows', 'serving', 'join', 'history', 'backfill', 'kafka'] as const;

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(PARTS as readonly string[]).includes(name));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}; there are ${PARTS.join(', ')}.`);
  process.exit(2);
}
const { model } = cpus()[0] ?? { model: 'unknown' };
console.log(
  `${model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.version}`,
);
for (const part of PARTS) {
  if (asked.length > 0 && !asked.includes(part)) continue;
  console.log(`\n── ${part}`);
  const file = fileURLToPath(new URL(`./${part}${extname(import.meta.url)}`, import.meta.url));
  const { status } = spawnSync(process.execPath, [...process.execArgv, file], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}

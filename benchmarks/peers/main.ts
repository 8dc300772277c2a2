/**
 * Side by side with peers, on the same data and machine in the same run: Feast (materialize,
 * point-in-time joins, online reads) and Quix Streams (windows from Kafka). It installs them itself,
 * into the user's cache folder, and says what it skips where Python, Java or Maven is missing.
 *
 *     npm run bench:peers [-- rounds, default 3]
 *
 * The sides take turns, each cell in a process of its own; the median of the rounds is reported.
 * Answers are compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { compareWithFeast } from './compare-with-feast.ts';
import { compareWithQuix } from './compare-with-quix.ts';
import { runFreshetCell } from './freshet-cells.ts';
import { installPeers } from './install-peers.ts';
import { runStreamCell } from './stream-cell.ts';

const [first, ...rest] = process.argv.slice(2) as [string?, ...string[]];
if (first === 'feast-cell') {
  print(await runFreshetCell(...(rest as [string, string, string])));
} else if (first === 'stream-cell') {
  print(await runStreamCell(...(rest as [string, string])));
} else {
  await compare(Number(first ?? 3));
}

async function compare(rounds: number): Promise<void> {
  const { model } = cpus()[0] ?? { model: 'unknown' };
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  console.log(`${model}, ${cpus().length} cores, ${memory}, Node ${process.version}`);
  const python = await installPeers();
  if (python === null) return;
  const folder = mkdtempSync(join(tmpdir(), 'freshet-peers-'));
  try {
    await compareWithFeast(join(folder, 'feast'), python, rounds);
    await compareWithQuix(join(folder, 'quix'), python, rounds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(value: unknown): void {
  console.log(JSON.stringify(value));
}
